"""What the record of a sample says: whether the sample has guidance or targets, and a label."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdg.files import printable


def aimed(record: Mapping[str, Any]) -> bool:
    """Whether the sample has any guidance or target; if not, the prior draws it alone."""
    return bool(record["scale"]) or record["prompt"] is not None or record.get("reference") is not None


def label(record: Mapping[str, Any]) -> str:
    """The sample's targets, in words that can be printed."""
    words = [] if record["prompt"] is None else [record["prompt"]]
    picture = [] if record.get("reference") is None else [Path(record["reference"]).stem]
    return printable(" + ".join([*words, *picture])) or ("guided" if aimed(record) else "unguided")
