"""The size at which a collection of pictures can be drawn: ``data.size=auto``."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from sdg.data.locate import find_source
from sdg.errors import SDGError

SIZES = (32, 64)
"""Sides in pixels that a machine without a GPU can learn in hours."""
LOOKED_AT = 32
"""Pictures whose sizes are read, spread evenly."""


def fitting_size(root: str | None, inside: Sequence[str] = (), cache: str = "~/.cache/sdg") -> int:
    """The largest of :data:`SIZES` that does not enlarge most of the pictures.

    Raises:
        SDGError: there are no pictures, or most are smaller than the smallest size.
    """
    if root is None:
        raise SDGError("data.root is not set: say where your pictures are, data.root=PATH")
    source = find_source(root, Path(cache).expanduser(), inside)
    if not len(source):
        raise SDGError(f"{root} holds no pictures: give a folder or archive of them, data.root=PATH")
    looked_at = sorted({i * (len(source) - 1) // (LOOKED_AT - 1) for i in range(LOOKED_AT)})
    sides = []
    for i in looked_at:
        with suppress(SDGError):  # what cannot be read is reported, or ends the run, where it is learnt
            sides.append(min(source.open(i).size))
    if not sides:
        raise SDGError(f"none of {len(looked_at)} pictures of {root} can be read: save them as PNG or JPEG")
    side = median(sides)
    fitting = [size for size in SIZES if size <= side]
    if not fitting:
        raise SDGError(
            f"most pictures of {root} are smaller than {SIZES[0]} px: give larger ones, or data.size and "
            "data.enlarge=true"
        )
    return fitting[-1]
