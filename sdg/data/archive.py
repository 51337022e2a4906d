"""Pictures in a zip archive, read without unpacking it."""

import functools
import hashlib
import zipfile
import zlib
from pathlib import Path

from sdg.data.picture import is_picture_name
from sdg.data.source import PerProcess, PictureSource
from sdg.errors import SDGError

LARGEST = 2**28
"""Most bytes of an unpacked member; more is a mistake or a zip bomb."""


class ZipSource(PictureSource):
    """The pictures of an archive, sorted by their path in it.

    Raises:
        SDGError: the archive is damaged, or holds no pictures.
    """

    def __init__(self, path: Path):
        self.path = path
        self._archive = PerProcess(functools.partial(zipfile.ZipFile, path))
        try:
            members = self._archive.get().infolist()
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            raise SDGError(f"{path} is no whole zip archive ({error}): fetch or write it again") from error
        self.members = sorted(
            (member for member in members if not member.is_dir() and is_picture_name(member.filename)),
            key=lambda member: member.filename,
        )
        if not self.members:
            inside = "an LMDB: unpack it" if any(_is_lmdb(member) for member in members) else "no pictures"
            raise SDGError(f"{path} holds {inside}")

    def __len__(self) -> int:
        return len(self.members)

    def name(self, index: int) -> str:
        return f"{self.path}:{self.members[index].filename}"

    def read(self, index: int) -> bytes:
        member = self.members[index]
        if member.file_size > LARGEST:
            raise SDGError(f"{self.name(index)} unpacks to {member.file_size:,} bytes: leave it out")
        try:
            return self._archive.get().read(member)
        except (
            OSError,
            EOFError,
            RuntimeError,
            NotImplementedError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise SDGError(
                f"{self.name(index)} cannot be unpacked ({error}): fetch or write the archive again"
            ) from error

    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for member in self.members:
            digest.update(f"{member.filename}\0{member.file_size}\0{member.CRC}\n".encode())
        return digest.hexdigest()


def _is_lmdb(member: zipfile.ZipInfo) -> bool:
    return Path(member.filename).name == "data.mdb"
