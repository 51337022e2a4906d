"""A split in which pictures that look alike stay on one side, however they are named or ordered.

Two pictures are alike if their grey thumbnails differ little once the mean of each is taken off: the same
photograph saved, scaled or brightened twice, or the next frame. Pictures that are alike, or linked by others
that are, form a group, and a hash of its thumbnails decides its side: pictures that are added later move no
other group.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from sdg.data.prepare import CHUNK, Chunks
from sdg.data.source import PictureSource
from sdg.data.squares import SourceSquares
from sdg.data.workers import loader
from sdg.errors import SDGError
from sdg.locks import locked
from sdg.progress import Bar

SIDE = 16
"""Of a thumbnail, in pixels: its products are whole numbers below 2^24, which float32 adds without error."""
ALIKE = 6.0
"""Root mean square of the difference, of 255 shades of grey, below which two thumbnails are alike."""
MOST = 200_000
"""Pictures that are compared, each with each."""
_ROWS = 256
"""Thumbnails that are compared with all others at a time."""


def places(source: PictureSource, cache: Path, workers: int = 0) -> np.ndarray:
    """A number in [0, 1) for each picture of ``source``, (N,): evenly spread, and the same within a group.

    A picture that cannot be read is a group of its own. The numbers are kept below ``cache``.

    Raises:
        SDGError: there are too many pictures, or the cache cannot be written to.
    """
    check_count(len(source))
    kept = cache / "likeness" / f"{source.fingerprint()}.npy"
    if not kept.exists():
        remedy = "choose another data.cache"
        # The processes of a run want the same: one finds it.
        with locked(kept.with_suffix(".lock"), f"the split of {source.place}", remedy, wait=True):
            if not kept.exists():
                part = kept.with_suffix(".part.npy")
                np.save(part, _places(_thumbnails(source, workers)))
                os.replace(part, kept)
    return np.load(kept)


def check_count(count: int) -> None:
    """Raise SDGError if ``count`` pictures are too many to compare."""
    if count > MOST:
        raise SDGError(
            f"comparing {count:,} pictures would take days, {MOST:,} are the most: split by their order, "
            "data.validation_share=null data.train_count=N"
        )


def _places(thumbnails: np.ndarray) -> np.ndarray:
    """The number of each group, from the hash of the first of its thumbnails (N, SIDE²) uint8, by value."""
    leaders = list(range(len(thumbnails)))

    def leader(i: int) -> int:
        while leaders[i] != i:
            leaders[i] = i = leaders[leaders[i]]
        return i

    keys = [row.tobytes() for row in thumbnails]
    for i, j in _pairs(thumbnails):
        first, second = sorted((leader(i), leader(j)), key=lambda k: (keys[k], k))
        leaders[second] = first
    numbers = [hashlib.blake2b(keys[leader(i)], digest_size=6).digest() for i in range(len(keys))]
    return np.array([int.from_bytes(number, "big") for number in numbers]) / 2.0**48


def _pairs(thumbnails: np.ndarray) -> Iterator[tuple[int, int]]:
    """Every two that are alike, by index."""
    rows = torch.from_numpy(thumbnails).to(torch.float32)
    centred = rows - rows.mean(dim=1, keepdim=True).round()
    squares = centred.square().sum(dim=1)
    for start in Bar(range(0, len(rows), _ROWS), desc="comparing the pictures", leave=False):
        some = centred[start : start + _ROWS]
        products = some @ centred[start:].T
        distances = squares[start : start + _ROWS, None] + squares[None, start:] - 2 * products
        for i, j in (distances < ALIKE**2 * SIDE**2).nonzero().tolist():
            if i < j:
                yield start + i, start + j


def _thumbnails(source: PictureSource, workers: int) -> np.ndarray:
    """Grey thumbnails (N, SIDE²) uint8; of what cannot be read, noise that resembles nothing."""
    squares = SourceSquares(source, SIDE, "box", enlarge=True)
    chunks = [(start, min(start + CHUNK, len(source))) for start in range(0, len(source), CHUNK)]
    found = np.empty((len(source), SIDE**2), np.uint8)
    read = loader(Chunks(squares), chunks, workers)
    with Bar(total=len(source), desc="looking at the pictures", unit=" pictures", leave=False) as bar:
        for (start, stop), (pixels, damaged) in zip(chunks, read, strict=True):
            grey = pixels.to(torch.int32).sum(dim=1).div(3, rounding_mode="floor")
            found[start:stop] = grey.flatten(1).numpy()
            for index in damaged:
                found[index] = np.random.default_rng(index).integers(0, 256, SIDE**2)
            bar.update(stop - start)
    return found
