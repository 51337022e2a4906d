"""Sets of pictures to measure, or to measure against: a run's samples, any folder, or fresh renders."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from sdg.data.folder import FolderSource
from sdg.data.locate import find_source
from sdg.data.picture import PREPARATIONS, picture_size, to_tensor
from sdg.data.source import PictureSource
from sdg.data.toyfaces import SPLITS, faces
from sdg.errors import SDGError
from sdg.metrics.files import read_files
from sdg.metrics.folder import is_run, loose_pictures, read_manifest
from sdg.pixels import to_bytes

TOYFACES = "toyfaces:"
"""Prefix of a reference that is not a folder: ``toyfaces:2000`` is the first 2000 renders of the test split,
``toyfaces:100-2100`` as many after the first 100."""
_ENDS = re.compile(rf"{TOYFACES}(?:(\d+)-)?(\d+)")


class Pictures(ABC):
    """N pictures of one size in a fixed order."""

    source: str
    """Where they are from, for messages."""
    size: tuple[int, int]
    """Width and height in pixels."""
    records: Sequence[dict] = ()
    """The N records of the manifest; none if nothing is known about the pictures."""
    stamp: str | None = None
    """What changes with the pictures' files, and so tells whether a known digest still stands; if any."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batches(self, rows: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        """The pictures ``rows`` in batches (B, 3, H, W) uint8; raises SDGError if one cannot be read."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A hash of the pictures' contents and their order."""


class FolderPictures(Pictures):
    """Pictures in files, used as they are.

    Args:
        source: the folder.
        files: at least one.
        records: one for each file, or none.
    """

    def __init__(self, source: str | Path, files: Sequence[Path], records: Sequence[dict] = ()):
        self.source, self.files, self.records = str(source), files, records
        self.size = picture_size(files[0])

    def __len__(self) -> int:
        return len(self.files)

    def batches(self, rows: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        return read_files([self.files[row] for row in rows], batch_size)

    @cached_property
    def stamp(self) -> str:  # type: ignore[override]
        """Of the names, sizes and times of all files."""
        return _stamp("as they are", self.files)

    def without(self, paths: Collection[str | Path]) -> "FolderPictures":
        """Those whose files are not among ``paths``; raises SDGError if none is left."""
        kept = _kept(self.files, paths, self.source)
        records = [self.records[number] for number in kept] if self.records else ()
        return FolderPictures(self.source, [self.files[number] for number in kept], records)

    @cached_property
    def digest(self) -> str:
        total = hashlib.sha256(b"as they are")
        for path in self.files:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        return total.hexdigest()


class Squares(Pictures):
    """Pictures from a folder, an archive or an LMDB, cut to squares like the training data.

    Args:
        place: where they are from, for messages.
        pictures: the source to read.
        side: side of the squares.
        preparation: a key of ``PREPARATIONS``.
        rows: those of the source's pictures that count; None: all.
    """

    def __init__(
        self,
        place: str | Path,
        pictures: PictureSource,
        side: int,
        preparation: str,
        rows: Sequence[int] | None = None,
    ):
        self.source, self.pictures, self.preparation = str(place), pictures, preparation
        self.size, self.rows = (side, side), range(len(pictures)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, rows: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        for start in range(0, len(rows), batch_size):
            yield torch.stack([self._square(self.rows[row]) for row in rows[start : start + batch_size]])

    def without(self, paths: Collection[str | Path]) -> "Squares":
        """As :meth:`FolderPictures.without`; what is in an archive has no path, and stays."""
        if not isinstance(self.pictures, FolderSource):
            return self
        kept = _kept([self.pictures.paths[row] for row in self.rows], paths, self.source)
        rows = [self.rows[number] for number in kept]
        return Squares(self.source, self.pictures, self.size[0], self.preparation, rows)

    def _square(self, row: int) -> Tensor:
        image, side = self.pictures.open(row), self.size[0]
        if min(image.size) < side:
            name = self.pictures.name(row)
            raise SDGError(
                f"{name} is {image.width}x{image.height} and cannot be cut to {side}x{side}: leave it out"
            )
        return to_tensor(PREPARATIONS[self.preparation](image, side))

    @cached_property
    def stamp(self) -> str:  # type: ignore[override]
        """Of a folder's files as above; an archive or LMDB tells of its contents itself."""
        files = self.pictures.paths if isinstance(self.pictures, FolderSource) else [self.pictures.place]
        what = f"{self.preparation} {self.size[0]} {self.pictures.fingerprint()} {self.rows!r}"
        return _stamp(what, files)

    @cached_property
    def digest(self) -> str:
        total = hashlib.sha256(f"{self.preparation} {self.size[0]}".encode())
        for row in self.rows:
            total.update(hashlib.sha256(self.pictures.read(row)).digest())
        return total.hexdigest()


class Renders(Pictures):
    """Faces ``first`` to ``last`` of the test split of toyfaces, which no network was trained on.

    Args:
        last: the number after that of the last one.
    """

    def __init__(self, first: int, last: int, side: int):
        if not 0 <= first < last <= len(SPLITS["test"]):
            raise SDGError(
                f"toyfaces has {len(SPLITS['test'])} test faces to compare with, and none from {first} to "
                f"{last}: use {TOYFACES}2000 or {TOYFACES}100-2100"
            )
        self.first, self.count, self.size = first, last - first, (side, side)
        self.source = f"{TOYFACES}{first}-{last}" if first else f"{TOYFACES}{last}"

    def __len__(self) -> int:
        return self.count

    def batches(self, rows: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        for part in torch.tensor(rows, dtype=torch.int64).split(batch_size):
            images, _ = faces(0, part + SPLITS["test"].start + self.first, self.size[0])
            yield to_bytes(images)

    @cached_property
    def digest(self) -> str:
        # The first faces stand for all: whatever changes the renderer or the split changes them too.
        (first,) = self.batches(range(min(16, self.count)), 16)
        return hashlib.sha256(f"{self.source} {self.size}".encode() + first.numpy().tobytes()).hexdigest()


def open_samples(samples: str | Path | None) -> FolderPictures:
    """The pictures of a finished run with its records, or of any folder without records.

    Raises:
        SDGError: there is no folder, or it holds no pictures or several runs, or is still being written.
    """
    run, folder = is_run(samples), Path(samples or "").expanduser()
    if run:
        records = read_manifest(folder)
        return FolderPictures(folder, [folder / record["file"] for record in records], records)
    return FolderPictures(folder, loose_pictures(folder))


def open_reference(
    reference: str | Path, size: tuple[int, int], preparation: str | None = None, cache: Path = Path()
) -> Pictures:
    """What samples of ``size`` are compared with: a folder like theirs, ``toyfaces:N``, or a data set.

    Args:
        preparation: how to cut the pictures of a folder, a zip archive or an LMDB to squares, a key of
            ``PREPARATIONS``; None: they are in a folder and have the samples' size.
        cache: a folder for the list of an LMDB's pictures, which is slow to make.

    Raises:
        SDGError: as :func:`open_samples`; also another size, or an unknown preparation.
    """
    if str(reference).startswith(TOYFACES):
        if not (ends := _ENDS.fullmatch(str(reference))):
            raise SDGError(f"reference={reference} names no number of faces: use {TOYFACES}2000")
        return Renders(int(ends[1] or 0), int(ends[2]), _side(size))
    if not Path(reference).expanduser().exists():
        raise SDGError(f"{reference} is not there: give the folder of the reference's pictures")
    if preparation is not None:
        if preparation not in PREPARATIONS:
            raise SDGError(f"preparation={preparation} is unknown: use {' or '.join(PREPARATIONS)}")
        side = _side(size)
        return Squares(reference, find_source(reference, cache, ["samples"], side), side, preparation)
    found = open_samples(reference)
    if found.size != size:
        raise SDGError(
            "the reference's pictures are {}x{} and the samples {}x{}: give preparation=adm to cut them as "
            "training does, or a reference of the samples' size".format(*found.size, *size)
        )
    return found


def _kept(files: Sequence[Path], paths: Collection[str | Path], source: str) -> list[int]:
    """The numbers of the files that are not among ``paths``; raises SDGError if there are none."""
    left_out = {Path(path).expanduser().resolve() for path in paths}
    kept = [number for number, path in enumerate(files) if path.resolve() not in left_out]
    if not kept:
        raise SDGError(f"all pictures of {source} are what samples aim at: give another reference")
    return kept


def _stamp(what: str, files: Sequence[Path]) -> str:
    """A hash of the names, sizes and times of files, and of what is done with them."""
    total = hashlib.sha256(what.encode())
    for path in files:
        told = path.stat()
        line = f"{path.absolute()}\n{told.st_size} {told.st_mtime_ns}\n"
        total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest()


def _side(size: tuple[int, int]) -> int:
    if size[0] != size[1]:
        raise SDGError("the samples are {}x{}: only squares can be held against squares".format(*size))
    return size[0]
