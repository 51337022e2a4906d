"""What the record of a sample says of it: whether anything leads it, and in words what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def aimed(record: Mapping[str, Any]) -> bool:
    """Whether anything at all leads the sample; else it is what the prior draws alone."""
    return bool(record["scale"]) or record["prompt"] is not None or record.get("reference") is not None


def label(record: Mapping[str, Any]) -> str:
    """What leads the sample, in words."""
    words = [] if record["prompt"] is None else [record["prompt"]]
    picture = [] if record.get("reference") is None else [Path(record["reference"]).stem]
    return " + ".join([*words, *picture]) or ("guided" if aimed(record) else "unguided")
