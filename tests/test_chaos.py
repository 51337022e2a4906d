"""What befalls long runs: the user sees one line, nothing is lost, and the same command completes the run.

Killed runs are in ``sampling/test_processes.py`` and ``training/test_runs.py``, broken checkpoints in
``training/test_whole_checkpoints.py``.
"""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from sdg.composition import ROOT
from sdg.config import errors_in_one_line
from sdg.sampling.store import SampleStore
from tests.sampling.test_controls import run as sample
from tests.tiny import make_weights
from tests.training.test_runs import run as train

PLAN = ("prompts=[a face, a hat]", "samples_per_prompt=3")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def undisturbed(weights: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    sample(weights, folder, *PLAN)
    return tree(folder)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MiB, where one can be had."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("runs as root of a Linux machine, who can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(command: Callable[[], object]) -> str:
    """The line that a command ends with."""

    def ends() -> None:
        with errors_in_one_line():
            command()

    with pytest.raises(SystemExit, match=r"^error: ") as ended:
        ends()
    assert "\n" not in str(ended.value)
    return str(ended.value)


def leave(disk: Path, room: int) -> None:
    """Fill ``disk`` up to ``room`` bytes."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    free = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - room)


@pytest.mark.parametrize("more", [224 << 10, pytest.param(32 << 10, marks=pytest.mark.slow)])
def test_a_disk_that_fills_anywhere_in_a_sampling_run(
    weights: list[str], undisturbed: dict[str, bytes], disk: Path, more: int
) -> None:
    """Another try with ``more`` room, until all is drawn."""
    lines, done, room = [], 0, 0
    while not (disk / "run" / "index.html").exists():
        leave(disk, room := room + more)
        try:
            with errors_in_one_line():
                sample(weights, disk / "run", *PLAN)
        except SystemExit as ended:
            lines.append(str(ended))
        now = len(list((disk / "run").glob("samples/*.png")))
        assert now >= done
        done, room = now, 0 if now > done else room
    assert len(lines) >= 3
    for line in lines:
        assert line.startswith("error: cannot write ")
        assert "No space left on device" in line
    assert tree(disk / "run") == undisturbed


def test_a_disk_that_fills_when_all_is_drawn(
    weights: list[str], undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, folder = os.replace, tmp_path / "run"

    for name in ("manifest.jsonl", "grid.png", "index.html"):

        def full(source: Path, target: Path, name: str = name) -> None:
            if target.name == name:
                raise OSError(errno.ENOSPC, "No space left on device")
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            line = told(lambda: sample(weights, folder, *PLAN))
        assert line.startswith(f"error: cannot write {folder / name} (No space left on device): make room")
        assert line.endswith("give the same command again; what is done is kept")
        assert not (folder / "index.html").exists()
    sample(weights, folder, *PLAN)
    assert tree(folder) == undisturbed


def test_a_disk_that_fills_when_a_sample_is_noted_as_lost(
    weights: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: SampleStore, record: dict) -> None:
        if "lost" in record:
            raise OSError(errno.ENOSPC, "No space left on device")
        note(store, record)

    note = SampleStore._note
    monkeypatch.setattr(SampleStore, "_note", full)
    line = told(lambda: sample(weights, tmp_path / "run", *PLAN, "guidance.scale=1e38"))
    assert line.startswith("error: cannot write a file (No space left on device): make room")


@pytest.mark.slow
def test_a_disk_that_fills_in_a_training(disk: Path, tmp_path: Path) -> None:
    whole = train("toyfaces_judge", tmp_path / "whole", 5)
    leave(disk, 48 << 10)
    line = told(lambda: train("toyfaces_judge", disk / "run", 5))
    assert line.startswith("error: cannot write ")
    assert "make room" in line
    (disk / "ballast").unlink()
    resumed = train("toyfaces_judge", disk / "run", 5)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_a_disk_that_is_read_only_or_becomes_so(weights: list[str], disk: Path) -> None:
    sample(weights, disk / "sampled", *PLAN)
    train("toyfaces_judge", disk / "trained", 2)
    before = tree(disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for folder in (disk / "new", disk / "sampled"):
        line = told(lambda folder=folder: sample(weights, folder, *PLAN))
        assert line.startswith(f"error: cannot write to {folder} (Read-only file system): mend that, or")
    for folder in (disk / "new", disk / "trained"):
        line = told(lambda folder=folder: train("toyfaces_judge", folder, 4))
        assert line.startswith(f"error: cannot write to {folder} (Read-only file system): mend that, or")
    assert tree(disk) == before


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_of_two_that_dies_takes_the_other_along_and_the_run_goes_on(
    weights: list[str], tmp_path: Path, rank: int
) -> None:
    plan = ("prompts=[a face, a hat]", "samples_per_prompt=40", "batch_size=2", "group=2")
    folder = tmp_path / "run"
    settings = [*weights, *plan, "sampler.steps=4", "guidance.scale=30", f"output_dir={folder}"]
    two = ["trainer=predict_ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    first = subprocess.Popen(
        [sys.executable, "sample.py", *settings, *two],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    manifests = folder / "manifest.jsonl", folder / "manifest-1.jsonl"
    deadline = time.monotonic() + 300
    while not all(path.exists() and path.stat().st_size for path in manifests):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.05)
    (second,) = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    os.kill([first.pid, int(second)][rank], signal.SIGKILL)
    _, errors = first.communicate(timeout=120)  # of both processes: it ends when both have
    assert first.returncode
    if rank:  # otherwise the shell reports it
        by_lightning = f"Child process with PID {second} terminated with code -9" in errors
        assert by_lightning or "error: a process of this run has died: give the same command" in errors
    done = len(list(folder.glob("samples/*.png")))
    assert 0 < done < 120
    sample(weights, folder, *plan)
    sample(weights, tmp_path / "whole", *plan)
    assert tree(folder) == tree(tmp_path / "whole")
