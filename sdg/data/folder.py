"""Pictures in a folder, at any depth."""

import hashlib
from pathlib import Path

from sdg.data.listing import list_pictures
from sdg.data.source import PictureSource
from sdg.errors import SDGError
from sdg.files import printable


class FolderSource(PictureSource):
    """The pictures below ``root``, sorted by their path in it; raises SDGError if there are none."""

    def __init__(self, root: Path):
        self.paths = list_pictures(root)
        self.place = root

    def __len__(self) -> int:
        return len(self.paths)

    def path_inside(self, index: int) -> str:
        return self.paths[index].relative_to(self.place).as_posix()

    def name(self, index: int) -> str:
        return printable(str(self.paths[index]))

    def read(self, index: int) -> bytes:
        try:
            return self.paths[index].read_bytes()
        except OSError as error:
            raise SDGError(f"{self.name(index)} cannot be read ({error.strerror}): restore it") from error

    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for index, path in enumerate(self.paths):
            try:
                size = path.stat().st_size
            except OSError as error:
                raise SDGError(f"{path} cannot be read ({error.strerror}): restore it") from error
            line = f"{self.path_inside(index)}\0{size}\n"
            digest.update(line.encode(errors="surrogateescape"))  # a name need not be UTF-8
        return digest.hexdigest()
