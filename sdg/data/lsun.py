"""Pictures in an LMDB, as LSUN is distributed: every value is an encoded picture, ordered by key."""

import functools
import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sdg.data.source import PerProcess, PictureSource
from sdg.errors import SDGError
from sdg.progress import Bar


class LMDBSource(PictureSource):
    """The values of an LMDB, sorted by key.

    The list of keys takes minutes to collect from a large database. It is kept below ``cache``, never beside
    the data, and is memory-mapped, so that worker processes share it.

    Args:
        root: the folder with ``data.mdb``.
        cache: a folder to write to.

    Raises:
        SDGError: the package lmdb is not installed, or the database is damaged or empty.
    """

    def __init__(self, root: Path, cache: Path):
        self.root = root
        kept = cache / "keys" / f"{self.fingerprint()}.npy"
        if not kept.exists():
            self._list_keys(kept)
        self._keys = PerProcess(functools.partial(np.load, kept, mmap_mode="r"))

    def __len__(self) -> int:
        return len(self._keys.get())

    def name(self, index: int) -> str:
        return f"{self.root}:{self._key(index).decode(errors='backslashreplace')}"

    def read(self, index: int) -> bytes:
        with _reading(self.root) as transaction:
            value = transaction.get(self._key(index))
        if value is None:
            raise SDGError(f"{self.name(index)} is missing: the LMDB changed while it was read")
        return bytes(value)

    def fingerprint(self) -> str:
        database = _database(self.root)
        with _reading(self.root) as transaction:
            first = list(itertools.islice(transaction.cursor().iternext(keys=True, values=False), 100))
        counts = (database.stat()["entries"], database.info()["last_txnid"], _data(self.root).stat().st_size)
        text = repr((counts, first))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _list_keys(self, kept: Path) -> None:
        """Store each key as a row: its length in two bytes, the key, and zeros to pad it to the longest."""
        with _reading(self.root) as transaction:
            cursor = transaction.cursor().iternext(keys=True, values=False)
            total = _database(self.root).stat()["entries"]
            keys = list(Bar(cursor, desc=f"listing the keys of {self.root.name}", total=total, leave=False))
        if not keys:
            raise SDGError(f"{self.root} is an LMDB without pictures: fetch it again")
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
    try:
        import lmdb
    except ImportError as error:
        raise SDGError(
            f"{root} is an LMDB, for which lmdb is not installed: pip install -e '.[lsun]', from the checkout"
        ) from error
    try:
        # Without a lock file, readers leave a data set as it is.
        database = lmdb.open(str(root), readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise SDGError(f"{root} is no whole LMDB ({error}): fetch it again") from error
    # The file is memory-mapped: touching a page beyond its end would kill the process.
    if (database.info()["last_pgno"] + 1) * database.stat()["psize"] > _data(root).stat().st_size:
        raise SDGError(f"{root} is no whole LMDB (data.mdb is truncated): fetch it again")
    return database


def _data(root: Path) -> Path:
    return root / "data.mdb"
