"""A teacher that remembers says what it would have said, and looks at every view of a picture once."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.randomness import keyed_generator
from sdg.training import teacher_cache
from sdg.training.teacher_cache import TeacherCache

PICTURES = torch.randn(6, 3, 8, 8, generator=keyed_generator("pictures"))


class Teacher:
    """Embeds by a fixed projection, and counts the images it has seen."""

    def __init__(self) -> None:
        self.weights = torch.randn(3 * 8 * 8, 5, generator=keyed_generator("teacher"))
        self.seen = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return images.flatten(1) @ self.weights


def test_a_cached_teacher_answers_as_the_teacher_and_looks_once():
    teacher, generator = Teacher(), keyed_generator("order")
    cache = TeacherCache(teacher)
    for _ in range(30):
        index = torch.randint(6, (4,), generator=generator)
        flipped = torch.rand(4, generator=generator) < 0.5
        images = torch.where(flipped[:, None, None, None], PICTURES[index].flip(-1), PICTURES[index])
        expected = images.flatten(1) @ teacher.weights
        torch.testing.assert_close(cache(images, index, flipped), expected)
    assert teacher.seen == 12


def ask(cache: TeacherCache, *pictures: int) -> Tensor:
    index = torch.tensor(pictures)
    return cache(PICTURES[index], index, torch.zeros(len(pictures), dtype=torch.bool))


def test_the_cache_keeps_no_more_than_its_limit():
    teacher = Teacher()
    cache = TeacherCache(teacher, gigabytes=5 * (4 + 5 * 4) / 1e9)  # views 0 to 4: pictures 0, 1 and 2
    for _ in range(3):
        torch.testing.assert_close(ask(cache, 0, 1, 2, 3, 3, 5), teacher(PICTURES[[0, 1, 2, 3, 3, 5]]))
    assert teacher.seen == 3 * 6 + 5 + 2 + 2


def test_a_full_disk_costs_the_cache_and_not_the_training(monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    teacher = Teacher()
    cache = TeacherCache(teacher)
    ask(cache, 0)
    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(2):
        torch.testing.assert_close(ask(cache, 0, 1, 2), teacher(PICTURES[:3]))
    assert teacher.seen == 2 * 3 + 1 + 2 + 2
    assert capsys.readouterr().out.count("No space left on device") == 1


def test_processes_of_a_machine_share_it_and_half_written_answers_are_not_read(tmp_path: Path, monkeypatch):
    path = tmp_path / "shared"
    monkeypatch.setattr(teacher_cache, "_shared_file", lambda: os.open(path, os.O_RDWR | os.O_CREAT))
    first, second = Teacher(), Teacher()
    caches = TeacherCache(first), TeacherCache(second)
    ask(caches[0], 0, 1)
    ask(caches[1], 2)
    torch.testing.assert_close(ask(caches[1], 0, 1, 2), first(PICTURES[:3]))
    assert (first.seen, second.seen) == (2 + 3, 1)
    content = bytearray(path.read_bytes())
    content[2 * 24 + 12] ^= 1  # of picture 1
    path.write_bytes(content)
    torch.testing.assert_close(ask(caches[1], 0, 1, 2), first(PICTURES[:3]))
    assert second.seen == 2


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ask(TeacherCache(Teacher()), 0)
    assert not list(tmp_path.iterdir())
