"""Pictures in a folder, at any depth."""

import hashlib
from pathlib import Path

from sdg.data.picture import list_pictures
from sdg.data.source import PictureSource
from sdg.errors import SDGError


class FolderSource(PictureSource):
    """The pictures below ``root``, sorted by their path in it; raises SDGError if there are none."""

    def __init__(self, root: Path):
        self.paths = list_pictures(root)
        self.root = root

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return str(self.paths[index])

    def read(self, index: int) -> bytes:
        try:
            return self.paths[index].read_bytes()
        except OSError as error:
            raise SDGError(f"{self.name(index)} cannot be read ({error.strerror}): restore it") from error

    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for path in self.paths:
            digest.update(f"{path.relative_to(self.root).as_posix()}\0{path.stat().st_size}\n".encode())
        return digest.hexdigest()
