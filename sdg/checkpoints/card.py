"""The encoder's card: what it can see at each noise level, in a JSON file beside its weights."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.files import file_hash, write_whole

REMEDY = "measure it with python -m experiments.visibility (docs/guidance.md), or use guidance=text_paper"


class Card(NamedTuple):
    """What is known of an encoder."""

    levels: tuple[int, ...]
    """The timesteps at which it was measured, ascending."""
    pairs: tuple[tuple[str, str, tuple[float, ...]], ...]
    """Two sentences, and how often it tells them apart at each level: from 0.5, by chance, to 1."""
    mean: Tensor
    """(D,), the mean embedding of a set of captions, by CLIP's text encoder."""
    hashes: dict[str, str]
    """SHA-256 of the files that this was measured with: ``encoder``, ``clip``."""

    def check(self, path: str | Path, kind: str, file: Path) -> None:
        """Raise SDGError unless the card was made with ``file`` as its ``kind`` (``encoder`` or ``clip``)."""
        if self.hashes[kind] != file_hash(file):
            raise SDGError(f"the card {path} is of another {kind} than {file}: {REMEDY}")


def read_card(path: str | Path | None) -> Card:
    """The card in a file.

    Raises:
        SDGError: there is no card, or the file is not one.
    """
    if path is None:
        raise SDGError(f"this encoder has no card (encoder.card=null): {REMEDY}, and give encoder.card=FILE")
    try:
        found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        pairs = tuple((p["a"], p["b"], tuple(map(float, p["accuracy"]))) for p in found["pairs"])
        card = Card(
            tuple(map(int, found["levels"])),
            pairs,
            torch.tensor(found["mean"], dtype=torch.float32),
            {kind: str(found["hashes"][kind]) for kind in ("encoder", "clip")},
        )
    except FileNotFoundError as error:
        raise SDGError(f"there is no card at {path}: {REMEDY}") from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise SDGError(f"{path} is not an encoder's card ({error}): {REMEDY}") from error
    if (
        card.mean.ndim != 1
        or not card.levels
        or list(card.levels) != sorted(set(card.levels))
        or any(len(accuracy) != len(card.levels) for *_, accuracy in pairs)
    ):
        raise SDGError(f"{path} is damaged, its table has no sense: {REMEDY}")
    return card


def write_card(path: str | Path, card: Card, notes: dict[str, Any]) -> None:
    """Write a card whole; ``notes`` are kept in it for people. Raises SDGError if that fails."""
    content = {
        **notes,
        "hashes": card.hashes,
        "levels": card.levels,
        "pairs": [
            {"a": a, "b": b, "accuracy": [round(value, 4) for value in row]} for a, b, row in card.pairs
        ],
        "mean": [round(value, 6) for value in card.mean.tolist()],
    }
    lines = [f" {json.dumps(key)}: {_laid_out(value)}" for key, value in content.items()]
    try:
        write_whole(Path(path), "{\n" + ",\n".join(lines) + "\n}\n")
    except OSError as error:
        raise SDGError(f"cannot write {path} ({error.strerror}): choose another place") from error


def _laid_out(value: Any) -> str:
    """JSON with a line for each entry of a list of objects."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in value) + "\n ]"
    return json.dumps(value, ensure_ascii=False)
