"""One lock for every folder and file that a run writes: another run is told who holds it."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from sdg.errors import SDGError
from sdg.processes import first_process

LOCK = "lock"
"""Name of the lock file in a folder. While it is held it names the holder; the system itself frees it when
the holder dies, so a file that is left over holds nothing."""

_ENDING = 10.0
"""Seconds that what a killed process has started may take to notice."""


def locked_folder(
    folder: str | Path, remedy: str = "choose another output_dir"
) -> AbstractContextManager[None]:
    """Hold the folder of a run for all of its processes, as :func:`locked` does, in the first of them."""
    folder = Path(folder)
    return locked(folder / LOCK, folder, remedy) if first_process() else nullcontext()


@contextmanager
def locked(file: Path, what: object, remedy: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock ``file`` for this process. It is removed afterwards, with folders made for it alone.

    Args:
        what: it stands for, for messages.
        remedy: what else can be done, for messages: ``choose another output_dir``.
        wait: whether to wait for another holder.

    Raises:
        SDGError: another process holds it and ``wait`` is False, or the file cannot be written.
    """
    made = [folder for folder in file.parents if not folder.exists()]
    lock = FileLock(file)
    try:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            _acquire(lock, file, what, remedy, wait)
            try:
                if not isinstance(lock, SoftFileLock):  # without flock; it has written the same
                    file.write_text(
                        f"{os.getpid()}\n{socket.gethostname()}\n{time.strftime('%F %T')}\n", encoding="utf-8"
                    )
            except OSError:
                lock.release()
                raise
        except OSError as error:
            raise SDGError(
                f"cannot write to {file.parent} ({error.strerror}): mend that, or {remedy}"
            ) from error
        try:
            yield
        finally:
            # Before it is released: whoever gets it next must find it, or make a new one.
            file.unlink(missing_ok=True)
            lock.release()
    finally:
        for folder in made:
            with suppress(OSError):  # in use
                folder.rmdir()


def _acquire(lock: FileLock, file: Path, what: object, remedy: str, wait: bool) -> None:
    deadline = time.monotonic() + _ENDING
    while True:
        try:
            lock.acquire(timeout=-1 if wait else 0)
            return
        except Timeout as error:
            holder, alive = _holder(file)
            if alive or time.monotonic() > deadline:
                left = "" if alive else ", which was killed; what it started still runs: end that"
                raise SDGError(
                    f"{what} is in use by {holder}{left}: wait for it to end, or {remedy}"
                ) from error
        time.sleep(0.2)


def _holder(file: Path) -> tuple[str, bool]:
    """Who holds a lock, in words, and whether it lives, as far as that can be known from here."""
    try:
        process, host, *since = file.read_text(encoding="utf-8").splitlines()
        number = int(process)
    except (OSError, ValueError):  # it is about to write this
        return "another process", True
    words = " ".join([f"process {number} on {host}", *(f"since {text}" for text in since[:1])])
    return words, host != socket.gethostname() or _lives(number)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True
