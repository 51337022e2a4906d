"""Small data sets of the layouts users have: the same noisy pictures as a folder, a zip and an LMDB."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdg.data.squares import SourceSquares
from sdg.errors import SDGError


def picture(index: int, size: tuple[int, int] = (24, 20)) -> bytes:
    """A PNG of noise; another index, another picture."""
    pixels = np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def make_folder(root: Path, count: int, damaged: tuple[int, ...] = ()) -> Path:
    """FFHQ's layout: numbered PNGs, so many to a folder."""
    for index in range(count):
        path = root / f"{index // 4 * 4:05d}" / f"{index:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not a picture" if index in damaged else picture(index))
    (root / "LICENSE.txt").write_text("free")
    return root


def make_zip(path: Path, count: int, compression: int = zipfile.ZIP_STORED) -> Path:
    """The same in an archive, written in another order, with the litter that archives have."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("dataset.json", "{}")
        archive.writestr("__MACOSX/._00000.png", b"a resource fork")
        for index in reversed(range(count)):
            archive.writestr(f"{index // 4 * 4:05d}/{index:05d}.png", picture(index))
    return path


def make_lmdb(root: Path, count: int) -> Path:
    """The same as LSUN keeps its pictures, but for keys of different lengths."""
    lmdb = pytest.importorskip(
        "lmdb", reason="LSUN's databases need the package lmdb: pip install -e '.[lsun]'"
    )
    with lmdb.open(str(root), map_size=2**24) as database, database.begin(write=True) as writing:
        for index in reversed(range(count)):
            writing.put(b"a" * index + b"key", picture(index))
    return root


class Counted(SourceSquares):
    """Squares that count how many were prepared, and stop at ``stop_at`` as a kill would."""

    prepared = 0
    stop_at: int | None = None

    def __getitem__(self, index: int):
        if index == self.stop_at:
            raise KeyboardInterrupt
        self.prepared += 1
        return super().__getitem__(index)


def messages(squares: SourceSquares, indices: range) -> list[str]:
    """What is wrong with each of the pictures that cannot be read."""
    found = []
    for index in indices:
        try:
            _ = squares[index]
        except SDGError as error:
            found.append(str(error))
    return found


def make_sized_lmdb(path: Path, count: int, sides: tuple[int, ...], subdir: bool = True) -> Path:
    """The same in several sizes, each under its number, and how many there are."""
    lmdb = pytest.importorskip("lmdb", reason="there is no lmdb: '.[dev]' brings it")
    with (
        lmdb.open(str(path), subdir=subdir, map_size=2**24) as database,
        database.begin(write=True) as writing,
    ):
        writing.put(b"length", str(count).encode())
        for side in sides:
            for index in range(count):
                writing.put(f"{side}-{index:05d}".encode(), picture(index, (side, side)))
    return path
