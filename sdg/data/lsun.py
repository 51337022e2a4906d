"""Pictures in an LMDB: every value is an encoded picture, as LSUN is distributed, or in several sizes."""

import functools
import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sdg.data.source import PerProcess, PictureSource
from sdg.errors import SDGError
from sdg.extras import need
from sdg.files import printable
from sdg.progress import Bar

_SIZED = re.compile(rb"(\d+)-\d{5,}")
"""A key of the layout that StyleGAN2's PyTorch port made common: the side of the picture, and its number."""
_MAGIC = b"\xde\xc0\xef\xbe"
"""The number that every LMDB has in its header."""
_COUNT = b"length"
"""The one other key of that layout: how many pictures there are."""


class LMDBSource(PictureSource):
    """The values of an LMDB, sorted by key.

    If it keeps every picture in several sizes, under keys like ``256-00000``, those of one size are read, in
    the order of their numbers: of the smallest size that need not be enlarged, if there is any.

    The list of keys takes minutes to collect from a large database. It is kept below ``cache``, never beside
    the data, and is memory-mapped, so that worker processes share it.

    Args:
        root: the folder with ``data.mdb``, or a database in a single file of any name.
        cache: a folder to write to.
        size: side in pixels of what the pictures are for; None reads the largest.

    Raises:
        SDGError: the package lmdb is not installed, or the database is damaged or empty.
    """

    def __init__(self, root: Path, cache: Path, size: int | None = None):
        self.place = root
        self._prefix = self._choose(size)
        kept = cache / "keys" / f"{self.fingerprint()}.npy"
        if not kept.exists():
            self._list_keys(kept)
        self._keys = PerProcess(functools.partial(np.load, kept, mmap_mode="r"))

    def __len__(self) -> int:
        return len(self._keys.get())

    def path_inside(self, index: int) -> str:
        return self._key(index).decode(errors="surrogateescape")

    def name(self, index: int) -> str:
        return printable(f"{self.place}:{self.path_inside(index)}")

    def read(self, index: int) -> bytes:
        with _reading(self.place) as transaction:
            value = transaction.get(self._key(index))
        if value is None:
            raise SDGError(f"{self.name(index)} is missing: the LMDB changed while it was read")
        return bytes(value)

    def fingerprint(self) -> str:
        database = _database(self.place)
        with _reading(self.place) as transaction:
            first = list(itertools.islice(transaction.cursor().iternext(keys=True, values=False), 100))
        counts = (database.stat()["entries"], database.info()["last_txnid"], _data(self.place).stat().st_size)
        text = repr((counts, first)) + self._prefix.decode()
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _list_keys(self, kept: Path) -> None:
        """Store each key as a row: its length in two bytes, the key, and zeros to pad it to the longest."""
        with _reading(self.place) as transaction:
            cursor = transaction.cursor()
            cursor.set_range(self._prefix)
            own = itertools.takewhile(
                lambda key: key.startswith(self._prefix), cursor.iternext(keys=True, values=False)
            )
            total = _database(self.place).stat()["entries"]
            keys = list(Bar(own, desc=f"listing the keys of {self.place.name}", total=total, leave=False))
        if self._prefix:
            keys.sort(key=lambda key: (len(key), key))  # 99999 comes before 100000
        if not keys:
            raise SDGError(f"{self.place} is an LMDB without pictures: fetch it again")
        width = max(map(len, keys))
        joined = b"".join(len(key).to_bytes(2, "big") + key.ljust(width, b"\0") for key in keys)
        rows = np.frombuffer(joined, np.uint8).reshape(len(keys), 2 + width)
        part = kept.with_name(f"{kept.stem}.{os.getpid()}.npy")
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(part, rows)
            os.replace(part, kept)
        except OSError as error:
            raise SDGError(f"cannot write {kept} ({error.strerror}): choose another data.cache") from error

    def _choose(self, size: int | None) -> bytes:
        """What the keys to read begin with: nothing, if the pictures are there in one size only."""
        sides = []
        with _reading(self.place) as transaction:
            cursor = transaction.cursor()
            found = cursor.first() if transaction.get(_COUNT) is not None else False
            while found:
                key = bytes(cursor.key())
                sized = _SIZED.fullmatch(key)
                if sized:
                    sides.append(int(sized[1]))
                elif key != _COUNT:
                    return b""
                # "." follows "-": the next key of another size.
                found = cursor.set_range(sized[1] + b"." if sized else key + b"\0")
        if not sides:
            return b""
        enough = [side for side in sides if size is not None and side >= size]
        return b"%d-" % (min(enough) if enough else max(sides))

    def _key(self, index: int) -> bytes:
        row = self._keys.get()[index].tobytes()
        return row[2 : 2 + int.from_bytes(row[:2], "big")]


_held: dict[Path, tuple[int, Any]] = {}
"""Process and handle of every open database: lmdb allows one handle per process, and none across a fork."""


def _database(root: Path) -> Any:
    process, database = _held.get(root, (None, None))
    if process != os.getpid():
        if database is not None:
            database.close()
        database = _open(root)
        _held[root] = os.getpid(), database
    return database


@contextmanager
def _reading(root: Path) -> Iterator[Any]:
    database = _database(root)
    import lmdb

    try:
        with database.begin() as transaction:
            yield transaction
    except lmdb.Error as error:
        raise SDGError(f"{root} cannot be read ({error}): fetch the LMDB again") from error


def _open(root: Path) -> Any:
    lmdb = need("lmdb")
    try:
        # Without a lock file, readers leave a data set as it is.
        database = lmdb.open(
            os.fsencode(root), subdir=root.is_dir(), readonly=True, lock=False, readahead=False, meminit=False
        )
    except lmdb.Error as error:
        raise SDGError(f"{root} is no whole LMDB ({error}): fetch it again") from error
    # The file is memory-mapped: touching a page beyond its end would kill the process.
    if (database.info()["last_pgno"] + 1) * database.stat()["psize"] > _data(root).stat().st_size:
        raise SDGError(f"{root} is no whole LMDB (it is truncated): fetch it again")
    return database


def is_lmdb(path: Path) -> bool:
    """Whether a file begins as a database does, or has a name of one."""
    with path.open("rb") as file:
        return file.read(20)[16:] == _MAGIC or path.suffix in (".mdb", ".lmdb")


def _data(root: Path) -> Path:
    return root / "data.mdb" if root.is_dir() else root
