"""The settings of a sampling run as its folder keeps them: which may differ later, and how a run may grow."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from sdg.errors import SDGError
from sdg.report.settings import leaves, load_settings, short
from sdg.sampling.plan import SamplePlan
from sdg.sampling.store import RECORD

_FREE = ("batch_size", "logger", "output_dir", "prompts_file", "again")
"""Nothing drawn depends on these."""
_PICTURED = ("precision", "plugins", "benchmark", "deterministic")
"""The settings of a trainer that change pictures; its devices do not."""
_USUAL = (None, 32, "32", "32-true")
"""Values that are the same as none."""
_PLAN = ("prompts", "references", "samples_per_prompt", "unguided")
_SHOWN = 3
"""Differences named in an error."""


def recorded(
    settings: Mapping[str, Any],
    prompts: Sequence[str],
    references: Sequence[str],
    files: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """All that the samples depend on.

    Args:
        settings: of the command, with interpolations unresolved.
        files: name and SHA-256 of every file they depend on: other weights or pictures under the same name
            give other samples.
    """
    kept = {key: value for key, value in settings.items() if key not in _FREE}
    trainer = kept.pop("trainer", None) or {}
    if pictured := {name: trainer[name] for name in _PICTURED if trainer.get(name) not in _USUAL}:
        kept["trainer"] = pictured
    contents = sorted(f"{digest}  {name}" for name, digest in files)
    return kept | {"prompts": [*prompts], "references": [*references], "contents": contents}


def settle(
    folder: Path, settings: dict[str, Any], make: Callable[..., SamplePlan]
) -> tuple[dict[str, Any], SamplePlan]:
    """The settings that a folder is to keep, and the plan: that of an earlier run there may have grown.

    Args:
        settings: see :func:`recorded`.
        make: a :class:`SamplePlan` from what of it may grow.

    Raises:
        SDGError: the folder holds samples of other settings, or some that the plan lacks.
    """
    asked = {name: settings[name] for name in _PLAN}
    known, earlier = read_record(folder), list[dict[str, Any]]()
    if known is not None:
        before = {name: known.pop(name, None) for name in _PLAN}
        earlier = known.pop("earlier", [])
        _refuse_others(folder, known, {name: settings[name] for name in settings if name not in _PLAN})
        earlier += [before] if before != asked else []
    plan = make(**asked, earlier=[make(**plan) for plan in earlier])
    return settings | ({"earlier": earlier} if earlier else {}), plan


def as_text(settings: Mapping[str, Any]) -> str:
    """Settings as the text of ``config.yaml``, where sentences and paths stay what they are."""
    literal = {name: _escaped(settings[name]) for name in (*_PLAN, "earlier") if name in settings}
    return OmegaConf.to_yaml(OmegaConf.create({**settings, **literal}))


def read_record(folder: Path) -> dict[str, Any] | None:
    """The settings that a folder keeps; None if it keeps none.

    Raises:
        SDGError: its ``config.yaml`` cannot be read.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    known = load_settings(path)
    literal = OmegaConf.create({name: known[name] for name in (*_PLAN, "earlier") if name in known})
    return known | cast(dict[str, Any], OmegaConf.to_container(literal, resolve=True))


def changed_files(known: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """The names of files that are not what they were when ``known`` was recorded."""
    now = [line.partition("  ") for line in settings.get("contents", ())]
    names = {name for _, _, name in now}
    gone = [line.partition("  ") for line in known.get("contents", ()) if line.partition("  ") not in now]
    return sorted({name for _, _, name in gone if name in names})


def _refuse_others(folder: Path, known: dict[str, Any], settings: dict[str, Any]) -> None:
    """Raise SDGError for settings that samples depend on and that are not those of the folder."""
    remedy = "choose another output_dir"
    before, now = set(known.pop("contents", ())), set(settings.pop("contents", ()))
    old, new = (dict(leaves(tree)) for tree in (known, settings))
    differ = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if differ:
        told = [
            f"{n} was {short(old.get(n, 'unset'))}, now {short(new.get(n, 'unset'))}" for n in differ[:_SHOWN]
        ]
        more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
        raise SDGError(f"{folder} holds samples of other settings ({'; '.join(told)}{more}): {remedy}")
    if gone := sorted(line.partition("  ")[2] for line in before - now):
        raise SDGError(f"{folder} holds samples of other settings ({gone[0]} is another file now): {remedy}")


def _escaped(value: Any) -> Any:
    """Text with ``${`` written so that OmegaConf reads it as text."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value
