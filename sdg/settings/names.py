"""Names of the folders of a sweep's jobs: short, safe on any disk and in any command, and unique."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from sdg.files import write_whole

_LONGEST = 80
"""Characters; disks allow 255 bytes, of which files beside the folder need some."""
_SAFE = re.compile(r"[\w.]+=[\w.-]*(,[\w.]+=[\w.-]*)*", re.ASCII)


def folder_name(overrides: str) -> str:
    """The folder of a job with these overrides: ``seed=1,scale=20`` gives ``seed-1+scale-20``.

    What has other characters, or is long, is abridged, and ends in a hash of the whole.
    """
    plain = re.sub(r"(^|,)\++", r"\1", overrides)
    name = plain.replace("=", "-").replace(",", "+")
    if _SAFE.fullmatch(plain) and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(overrides.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII)[: _LONGEST - len(digest) - 1].strip("._+-")
    return f"{name}-{digest}" if name else digest


def note_overrides(folder: Path, overrides: Sequence[str]) -> None:
    """Write the overrides of a job to a file beside its folder, one a line."""
    text = "".join(f"{override}\n" for override in overrides)
    write_whole(folder.parent / f"{folder.name}.txt", text)
