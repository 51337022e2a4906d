"""What a configuration needs of weight files: which are here, and exactly how to get the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sdg.checkpoints.catalogue import CATALOGUE, PublicFile, card_of
from sdg.checkpoints.download import fetch
from sdg.checkpoints.folders import located_folder
from sdg.checkpoints.places import find_file
from sdg.errors import SDGError


@dataclass(frozen=True)
class Need:
    """One weight file that a configuration reads."""

    setting: str
    """The command-line setting that gives its path."""
    path: str | None
    """What that setting says now."""
    card: PublicFile | None
    """The public file that fits, if there is one."""

    @property
    def found(self) -> Path | None:
        """The file that is read as things are; None if there is none."""
        try:
            return find_file(self.path, self.setting)
        except SDGError:
            # The program looks for these in a cache by itself.
            cached = self.card if self.card and self.card.url else None
            return cached.place if cached and cached.here else None

    @property
    def here(self) -> Path | None:
        """The file that is read as things are, or once :attr:`word` is typed; None if there is none."""
        return self.found or (self.card.place if self.card and self.card.here else None)

    @property
    def word(self) -> str | None:
        """The word that must be typed for it, where the settings name another place."""
        if self.found or self.card is None or self.card.url:
            return None
        return f"{self.setting}={self.card.place}"


def needs(config: Mapping[str, Any]) -> list[Need]:
    """The weight files that a run of these settings reads.

    Args:
        config: ``method``, ``guidance``, ``estimator``, ``model`` and the groups that hold checkpoints, as
            plain values.
    """
    method = config.get("method") or {}
    if "latent" in str(method.get("_target_")):
        settings = ["generator.checkpoint", "encoder.clip_checkpoint"]
    elif method:
        guided = bool((config.get("guidance") or {}).get("terms"))
        settings = ["prior.checkpoint", *(["encoder.clip_checkpoint"] if guided else [])]
        settings += ["encoder.checkpoint"] if guided and not _plain(config) else []
    else:
        # Of all trainings, only an encoder's starts from weights.
        tuned = "TimeCLIP" in str((config.get("model") or {}).get("_target_"))
        settings = ["encoder.clip_checkpoint"] if tuned else []
    return [_need(setting, config) for setting in settings]


def _plain(config: Mapping[str, Any]) -> bool:
    """Whether plain CLIP guides: unless said otherwise, it guides estimators that read clean pictures."""
    if guide := (config.get("method") or {}).get("guide"):
        return bool(guide == "clip")
    module, _, name = str((config.get("estimator") or {}).get("_target_", "")).rpartition(".")
    return bool(module) and getattr(import_module(module), name).reads == "clean"


def report(name: str, wanted: list[Need], command: str) -> Iterator[str]:
    """The checklist, line by line, and what to type.

    Args:
        name: of the experiment.
        command: that runs it, without the words for files.
    """
    if not wanted:
        yield f"{name} needs no weight file"
        return
    yield f"{name} needs:"
    for need in wanted:
        yield f"  [{'x' if need.here else ' '}] {need.setting}: {need.here or need.path}"
        if need.here is None:
            yield from (f"        {line}" for line in how_to_get(need))
    words = [word for need in wanted if (word := need.word)]
    lost = any(need.here is None for need in wanted)
    yield f"{'then type' if lost else 'all is here, type'}: {' '.join([command, *words])}"


def how_to_get(need: Need) -> list[str]:
    """What to do for a file that is not here."""
    if need.card is None:
        return [f"no public file is known for it: give {need.setting}=PATH"]
    return [need.card.what, *by_hand(need.card)]


def by_hand(card: PublicFile) -> list[str]:
    """How to get a public file: the command that fetches it, or where a person must click."""
    if card.url:
        return [f"sdg weights get {card.name}   (about {card.size:,} MB to {card.place})"]
    lines = [f"open {card.origin} in a browser, and save it as {card.place}"]
    lines.append(f"(about {card.size:,} MB; no hash is published)")
    return [*lines, *([card.note] if card.note else [])]


def get(card: PublicFile) -> Path:
    """Fetch a public file to where the program looks for it; what is there already is kept.

    Raises:
        SDGError: it has no address that a program may fetch, which says how to get it by hand; or as
            :func:`~sdg.checkpoints.download.fetch`.
    """
    if card.here:
        return card.place
    if card.url is None:
        raise SDGError(f"{card.name} has no address that a program may fetch: {'; '.join(by_hand(card))}")
    if card.parts:
        located_folder(None, card.url, dict.fromkeys(card.parts), download=True)
        return card.place
    return fetch(card.url, card.place, card.sha256)


def _need(setting: str, config: Mapping[str, Any]) -> Need:
    group, _, key = setting.partition(".")
    settings = config.get(group) or {}
    path = settings.get(key)
    path = None if path in (None, "???") else str(path)
    return Need(setting, path, card_of(path, settings.get("url")) or _fitting(setting, config))


def _fitting(setting: str, config: Mapping[str, Any]) -> PublicFile | None:
    """The public file for a setting whose own path names none: the first for the same pictures."""
    prior = config.get("prior") or {}
    of_prior = card_of(prior.get("checkpoint"), prior.get("url"))
    if setting == "encoder.checkpoint":
        clip = str((config.get("encoder") or {}).get("clip_checkpoint"))
        name = f"time_clip_{of_prior.name.removesuffix('_nodropout')}" if of_prior else ""
        return next((card for card in CATALOGUE if card.name == name and "RN50x16" in clip), None)
    if setting == "generator.checkpoint":
        size = ((config.get("generator") or {}).get("network") or {}).get("image_size")
        return next((card for card in CATALOGUE if card.name == f"stylegan2_{size}"), None)
    return None
