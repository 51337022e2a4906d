"""Killed at any moment of writing a checkpoint, a run finds a whole one."""

import errno
import os
from pathlib import Path

import pytest
import torch

from sdg.errors import SDGError
from sdg.training.whole_checkpoints import WholeCheckpoints, newest_whole


class Killed(BaseException):
    """Stands for SIGKILL: nobody catches it."""


def step_of(path: Path | None) -> int:
    assert path is not None
    return int(torch.load(path)["step"])


def save(folder: Path, step: int) -> None:
    WholeCheckpoints().save_checkpoint({"step": step, "x": torch.zeros(1000)}, folder / "last.ckpt")


@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize("call", [1, 2])
def test_killed_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, call: int):
    save(tmp_path, 1)
    save(tmp_path, 2)
    original, calls = getattr(os, function), 0

    def dying(*args) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed
        original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, function, dying)
        try:
            save(tmp_path, 3)
        except Killed:
            assert step_of(newest_whole(tmp_path)) == 2
    save(tmp_path, 4)
    assert step_of(newest_whole(tmp_path)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]


def test_a_truncated_checkpoint_is_passed_over_with_a_warning(tmp_path: Path, capsys):
    for step in (1, 2):
        save(tmp_path, step)
    last = tmp_path / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    assert step_of(newest_whole(tmp_path)) == 1
    assert f"warning: {last} is damaged: passed over" in capsys.readouterr().out
    (tmp_path / "previous.ckpt").unlink()
    with pytest.raises(SDGError, match=r"last\.ckpt is damaged: remove it"):
        newest_whole(tmp_path)
    last.unlink()
    assert newest_whole(tmp_path) is None


@pytest.mark.parametrize("place", range(10))
def test_a_checkpoint_overwritten_anywhere_is_passed_over(tmp_path: Path, place: int):
    for step in (1, 2):
        save(tmp_path, step)
    last = tmp_path / "last.ckpt"
    content = last.read_bytes()
    start = place * len(content) // 10
    last.write_bytes(
        content[:start] + bytes(b ^ 0xFF for b in content[start : start + 200]) + content[start + 200 :]
    )
    assert step_of(newest_whole(tmp_path)) == 1


def test_of_whole_checkpoints_only_the_newest_is_read(tmp_path: Path):
    for step in (1, 2):
        save(tmp_path, step)
    (tmp_path / "previous.ckpt").write_bytes(b"never looked at")
    assert step_of(newest_whole(tmp_path)) == 2


@pytest.mark.skipif(
    not Path("/dev/full").exists(),
    reason="runs where /dev/full is: on Linux",
)
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path):
    save(tmp_path, 1)
    (tmp_path / "last.ckpt.part").symlink_to("/dev/full")
    with pytest.raises(SDGError, match="make room"):
        save(tmp_path, 2)
    assert step_of(newest_whole(tmp_path)) == 1
    save(tmp_path, 3)
    assert step_of(newest_whole(tmp_path)) == 3


@pytest.mark.parametrize(
    "error, reason",
    [
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (RuntimeError("unexpected pos 64 vs 0"), "the disk may be full"),  # what PyTorch says of a full disk
    ],
)
def test_a_checkpoint_that_cannot_be_written_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
):
    def failing(*_) -> None:
        raise error

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(SDGError, match=rf"cannot write .*last\.ckpt \({reason}\): make room"):
        save(tmp_path, 1)
