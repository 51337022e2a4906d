"""Two runs on one folder: the second is told who holds it; what a killed run leaves holds nothing."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from sdg import locks, processes
from sdg.errors import SDGError
from sdg.locks import LOCK, locked, locked_folder


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A lock file that somebody holds."""
    with FileLock(tmp_path / LOCK):
        yield tmp_path / LOCK


def test_the_second_is_told_who_holds_the_folder_and_since_when(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with locked_folder(folder):
        told = rf"^{folder} is in use by process {os.getpid()} on {re.escape(socket.gethostname())} since "
        with (
            pytest.raises(
                SDGError,
                match=told
                + r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d: wait for it to end, or choose another output_dir$",
            ),
            locked_folder(folder),
        ):
            pass
        assert (folder / LOCK).exists()  # the refused one has not taken it away
    with locked_folder(folder):
        pass


def test_a_lock_leaves_no_trace(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    with locked_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "kept").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "kept"]


def test_what_a_killed_run_left_behind_holds_nothing(tmp_path: Path, dead: int) -> None:
    (tmp_path / LOCK).write_text(f"{dead}\n{socket.gethostname()}\n2026-01-01 00:00:00\n")
    with locked_folder(tmp_path):
        assert (tmp_path / LOCK).read_text().splitlines()[0] == str(os.getpid())


def test_what_a_killed_run_had_started_is_told_apart(held: Path, dead: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "_ENDING", 0)
    held.write_text(f"{dead}\n{socket.gethostname()}\n2026-01-01 00:00:00\n")
    with (
        pytest.raises(SDGError, match=f"process {dead} on .*, which was killed; what it started still runs"),
        locked_folder(held.parent),
    ):
        pass


@pytest.mark.parametrize(
    "record", ["", "half a li", f"1\n{socket.gethostname()}\n", "17\nanother-host\n2026"]
)
def test_whatever_the_file_says_who_holds_it_is_not_disturbed(held: Path, record: str) -> None:
    held.write_text(record)
    with pytest.raises(SDGError, match="is in use by"), locked_folder(held.parent):
        pass
    assert held.read_text() == record


def test_another_host_is_named(held: Path) -> None:
    held.write_text("17\nanother-host\n2026-01-01 00:00:00\n")
    told = "by process 17 on another-host since 2026-01-01 00:00:00: wait"
    with pytest.raises(SDGError, match=told), locked_folder(held.parent):
        pass


def test_all_processes_of_a_run_share_the_lock_of_the_first(
    held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes._state, "rank", 1)
    with locked_folder(held.parent):
        pass


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = rf"cannot write to {tmp_path}/file .*mend that, or set SDG_CACHE"
    file = tmp_path / "file" / "x.lock"
    with pytest.raises(SDGError, match=told), locked(file, "x", "set SDG_CACHE"):
        pass
