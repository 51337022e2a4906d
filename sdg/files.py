"""Files that appear whole or not at all, and the marks of their contents."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write a file at, which gets the name in one move once all is in it.

    Raises:
        OSError: which names the file, also where the disk does not, as a full one.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())  # else a name may survive a power cut that its content does not
        os.replace(part, path)
    except Exception as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """The same as an open file."""
    with whole_path(path) as part, part.open("wb") as file:
        yield file


def write_whole(path: Path, content: bytes | str) -> None:
    """Write ``content`` (text as UTF-8) so that ``path`` is the old file or the new one at any moment."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def held(path: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock file ``path`` for this process; it goes with the process, however that ends.

    Args:
        wait: until another process that holds it is done.

    Raises:
        BlockingIOError: another process holds it.
    """
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
