"""Pictures in a zip archive, read without unpacking it."""

import functools
import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from sdg.data.listing import is_picture_name
from sdg.data.source import PerProcess, PictureSource
from sdg.errors import SDGError
from sdg.files import printable

MACINTOSH = "__MACOSX"
"""Folder of macOS's own notes about files, which it puts beside them in every archive."""
LARGEST = 2**28
"""Most bytes of an unpacked member; more is a mistake or a zip bomb."""


class ZipSource(PictureSource):
    """The pictures of an archive, sorted by their path in it; hidden ones are left out, as in a folder.

    Args:
        inside: folders in the archive, or in the one folder that holds all it has; only the first that exists
            is read.

    Raises:
        SDGError: the archive is damaged, or holds no pictures.
    """

    def __init__(self, path: Path, inside: Sequence[str] = ()):
        self.place = path
        self._archive = PerProcess(functools.partial(zipfile.ZipFile, path))
        try:
            members = self._archive.get().infolist()
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise SDGError(f"{path} is no whole zip archive ({error}): fetch or write it again") from error
        # By name: of two members with one name, the last counts, as it does where an archive is unpacked.
        named = {member.filename: member for member in members if not member.is_dir()}
        top = _place(named, inside)
        self.members = [
            member
            for name, member in sorted(named.items())
            if name.startswith(top) and is_picture_name(name) and not _hidden(name)
        ]
        if not self.members:
            what = "an LMDB: unpack it" if any(_is_lmdb(member) for member in members) else "no pictures"
            raise SDGError(f"{path} holds {what}")

    def __len__(self) -> int:
        return len(self.members)

    def path_inside(self, index: int) -> str:
        return self.members[index].filename

    def name(self, index: int) -> str:
        return printable(f"{self.place}:{self.members[index].filename}")

    def read(self, index: int) -> bytes:
        member = self.members[index]
        if member.file_size > LARGEST:
            raise SDGError(f"{self.name(index)} unpacks to {member.file_size:,} bytes: leave it out")
        try:
            return self._archive.get().read(member)
        except (
            OSError,
            EOFError,
            ValueError,
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
            digest.update(
                f"{member.filename}\0{member.file_size}\0{member.CRC}\n".encode(errors="surrogatepass")
            )
        return digest.hexdigest()


def _place(names: Iterable[str], inside: Sequence[str]) -> str:
    """What the names begin with that are below the first of ``inside``; nothing if there is none of them."""
    tops = {name.partition("/")[0] for name in names if not _hidden(name)}
    above = ["", f"{min(tops)}/"] if len(tops) == 1 else [""]
    places = [f"{top}{name}/" for name in inside for top in above]
    return next((place for place in places if any(name.startswith(place) for name in names)), "")


def _hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") for part in parts) or parts[:1] == (MACINTOSH,)


def _is_lmdb(member: zipfile.ZipInfo) -> bool:
    return Path(member.filename).name == "data.mdb"
