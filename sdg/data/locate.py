"""From a path that a user gives to a reader of what is there."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from sdg.data.archive import ZipSource
from sdg.data.folder import FolderSource
from sdg.data.listing import is_picture_name
from sdg.data.lsun import LMDBSource, is_lmdb
from sdg.data.source import PictureSource
from sdg.errors import SDGError


def find_source(
    root: str | Path, cache: Path, inside: Sequence[str] = (), size: int | None = None
) -> PictureSource:
    """The pictures at ``root``: a zip archive, an LMDB, or a folder of pictures.

    Args:
        cache: a folder for lists that are slow to make.
        inside: names below ``root``, also in an archive; the first that exists is used instead of it.
        size: side in pixels of what the pictures are for, if an LMDB keeps them in several sizes.

    Raises:
        SDGError: there is nothing there that can be read.
    """
    if not str(root):  # as a path, it would be the current folder
        raise SDGError("data.root is empty: give the data set's folder or zip archive, data.root=PATH")
    root = Path(root).expanduser()
    root = next((root / name for name in inside if (root / name).exists()), root)
    if not root.exists():
        raise SDGError(f"{root} is not there: give the data set's folder or zip archive, data.root=PATH")
    if root.is_file():
        if zipfile.is_zipfile(root) or root.suffix == ".zip":
            return ZipSource(root, inside)
        if root.name == "data.mdb":
            return LMDBSource(root.parent, cache, size)
        if is_lmdb(root):
            return LMDBSource(root, cache, size)
        kind = "a single picture" if is_picture_name(root.name) else "no zip archive"
        raise SDGError(f"{root} is {kind}: give the data set's folder or zip archive, data.root=PATH")
    if (root / "data.mdb").is_file():
        return LMDBSource(root, cache, size)
    return FolderSource(root)
