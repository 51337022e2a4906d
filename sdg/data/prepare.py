"""Writing a cache of prepared squares: a kill loses only chunks in progress, and no partial cache is read."""

import errno
import json
import os
import shutil
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sdg.data.cache import CHECKSUMS, DAMAGED, PIXELS, SETTINGS, CachedSquares, read_damaged
from sdg.data.squares import SourceSquares
from sdg.data.workers import loader
from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.locks import locked
from sdg.progress import Bar

CHUNK = 64
"""Pictures that a worker prepares at a time."""


def write_cache(
    squares: SourceSquares, folder: Path, workers: int = 0, on_corrupt: Literal["skip", "fail"] = "fail"
) -> None:
    """Prepare every picture into ``folder``, which gets its name once it is complete.

    Until then the work is in ``<folder>.part``, whose files only grow. After a kill, the next run keeps the
    leading pictures that match their checksums and prepares the rest.

    Args:
        workers: processes that decode; 0 decodes in this one.
        on_corrupt: ``skip`` reports a picture that cannot be prepared, and records it in the cache.

    Raises:
        SDGError: the place cannot be written to, or another process is preparing it; a picture is damaged
            and ``on_corrupt`` is ``fail``; or all pictures are damaged.
    """
    part = folder.with_name(folder.name + ".part")
    with locked(folder.with_name(folder.name + ".lock"), part, "choose another data.cache"):
        if folder.exists():  # the holder before us has made it
            return
        try:
            part.mkdir(exist_ok=True)
            write_whole(part / SETTINGS, json.dumps(squares.settings(), indent=1) + "\n")
            done = _keep_whole(part, 3 * squares.size**2)
            _require_space(part, (len(squares) - done) * 3 * squares.size**2)
            _append(squares, part, done, workers, on_corrupt)
            damaged = read_damaged(part)
            if len(damaged) == len(squares):
                raise SDGError(f"none of the {len(damaged):,} pictures can be used: {damaged[0]}")
            os.rename(part, folder)
        except OSError as error:
            remedy = "make room" if error.errno == errno.ENOSPC else "choose another data.cache"
            raise SDGError(
                f"cannot write {part} ({error.strerror}): {remedy}, then run this again"
            ) from error


def check_cache(squares: CachedSquares) -> None:
    """Read every picture of a cache once; raises SDGError at the first that has changed."""
    for index in Bar(range(len(squares)), desc="checking", unit=" pictures"):
        if index not in squares.damaged:
            _ = squares[index]


class Chunks(Dataset):
    """Squares from start to stop: pixels (n, 3, size, size) uint8, black if damaged, and what is damaged."""

    def __init__(self, squares: SourceSquares):
        self.squares = squares

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, dict[int, str]]:
        start, stop = key
        pixels = torch.zeros(stop - start, 3, self.squares.size, self.squares.size, dtype=torch.uint8)
        damaged = {}
        for row, index in enumerate(range(start, stop)):
            try:
                pixels[row] = self.squares[index]
            except SDGError as error:  # reported by the main process: a worker's exception has a traceback
                damaged[index] = str(error)
        return pixels, damaged


def _append(squares: SourceSquares, part: Path, done: int, workers: int, on_corrupt: str) -> None:
    """Prepare the pictures from ``done`` on; write notes of damage first, then pixels, then checksums."""
    count = len(squares)
    chunks = [(start, min(start + CHUNK, count)) for start in range(done, count, CHUNK)]
    read = loader(Chunks(squares), chunks, workers)
    with ExitStack() as stack:
        notes, body, checksums = (
            stack.enter_context(open(part / name, "ab")) for name in (DAMAGED, PIXELS, CHECKSUMS)
        )
        bar = stack.enter_context(Bar(total=count, initial=done, desc="preparing", unit=" pictures"))
        for pixels, damaged in read:
            for index, message in damaged.items():
                if on_corrupt == "fail":
                    raise SDGError(f"{message} (or set data.on_corrupt=skip)")
                Bar.write(f"warning: skipped: {message}")
                notes.write(json.dumps({"index": index, "message": message}).encode() + b"\n")
            sums = np.array([zlib.crc32(picture) for picture in pixels.numpy()], "<u4")
            for file, content in (
                (notes, b""),
                (body, pixels.numpy().tobytes()),
                (checksums, sums.tobytes()),
            ):
                file.write(content)
                file.flush()
            bar.update(len(pixels))
        for file in (notes, body, checksums):
            os.fsync(file.fileno())


def _require_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part).free
    if free < needed:
        raise SDGError(
            f"{part} needs {needed / 1e9:,.1f} GB more and its disk has {free / 1e9:,.1f} GB left: "
            "make room, or choose another data.cache"
        )


def _keep_whole(part: Path, picture: int) -> int:
    """Cut what an earlier run left in ``part`` back to its leading intact pictures; returns how many."""
    for name in (DAMAGED, PIXELS, CHECKSUMS):
        (part / name).touch()
    done = 0
    with open(part / PIXELS, "rb") as file:
        for checksum in np.fromfile(part / CHECKSUMS, "<u4"):
            content = file.read(picture)
            if len(content) < picture or zlib.crc32(content) != checksum:
                break
            done += 1
    os.truncate(part / PIXELS, done * picture)
    os.truncate(part / CHECKSUMS, done * 4)
    notes = (part / DAMAGED).read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [note for note in notes if note.endswith("\n") and json.loads(note)["index"] < done]
    write_whole(part / DAMAGED, "".join(whole))
    return done
