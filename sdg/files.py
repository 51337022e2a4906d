"""Files that appear whole or not at all, and content hashes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; the complete file is renamed to ``path`` in one move.

    Raises:
        OSError: always naming the file, even if the system does not (a full disk).
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())  # else the name may survive a power cut and the content not
        os.replace(part, path)
    except Exception as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """The same, as an open file."""
    with whole_path(path) as part, part.open("wb") as file:
        yield file


def write_whole(path: Path, content: bytes | str) -> None:
    """Write ``content`` (text as UTF-8) so that at any moment ``path`` is either the old or the new file.

    Bytes of file names that are no UTF-8 become ``\\udce4`` and the like, which JSON and YAML read back.
    """
    with whole_file(path) as file:
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


def printable(text: str) -> str:
    r"""``text`` in which bytes of a file's name that are not UTF-8 are spelt out, like ``\xe4``.

    Python keeps such bytes as lone surrogates, which can be neither printed nor written.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
