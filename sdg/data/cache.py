"""Prepared squares on disk: memory-mapped, and checked against their checksums as they are read."""

import functools
import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdg.data.source import PerProcess
from sdg.data.squares import SourceSquares
from sdg.errors import SDGError

PIXELS, CHECKSUMS, DAMAGED, SETTINGS = "squares.u1", "crc32.u4", "damaged.jsonl", "settings.json"
"""(N, 3, size, size) uint8; a little-endian CRC-32 per picture; what could not be prepared;
what the pixels depend on."""


class CachedSquares:
    """The squares of a finished cache.

    Reading a picture that could not be prepared, or has since changed on disk, raises SDGError.

    Raises:
        SDGError: a file of the cache is missing or has the wrong length.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            shape = (settings["count"], 3, settings["size"], settings["size"])
            self.damaged = read_damaged(folder)
            self._checksums = np.fromfile(folder / CHECKSUMS, "<u4")
            whole = (folder / PIXELS).stat().st_size == int(np.prod(shape))
        except (OSError, ValueError, KeyError):
            whole = False
        if not whole or len(self._checksums) != shape[0]:
            raise SDGError(f"the cache {folder} is not whole: remove it, then prepare the data again")
        pixels = functools.partial(np.memmap, folder / PIXELS, np.uint8, "r", shape=shape)
        self._pixels: PerProcess[np.ndarray] = PerProcess(pixels)

    def __len__(self) -> int:
        return len(self._checksums)

    def __getitem__(self, index: int) -> Tensor:
        if index in self.damaged:
            raise SDGError(self.damaged[index])
        pixels = np.array(self._pixels.get()[index])
        if zlib.crc32(pixels.data) != self._checksums[index]:
            raise SDGError(
                f"picture {index} of the cache {self.folder} has changed on the disk: remove the cache"
            )
        return torch.from_numpy(pixels)


def cache_place(squares: SourceSquares, root: Path, name: str) -> Path:
    """Where below ``root`` the cache of these squares is, or would be; other squares go elsewhere."""
    settings = json.dumps(squares.settings(), sort_keys=True)
    return root / f"{name}-{squares.size}-{hashlib.blake2b(settings.encode(), digest_size=6).hexdigest()}"


def read_damaged(folder: Path) -> dict[int, str]:
    """What was wrong with the pictures that could not be prepared, by index; the last note counts."""
    lines = (folder / DAMAGED).read_text(encoding="utf-8").splitlines()
    return {note["index"]: note["message"] for note in map(json.loads, lines)}
