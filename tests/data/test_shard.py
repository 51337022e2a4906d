"""Devices take the batches of one device apart, and accumulation takes them in smaller pieces."""

from types import SimpleNamespace

import pytest

from sdg.data.shard import Shard, training_batches
from sdg.data.steps import StepSampler
from sdg.data.toyfaces.data import ToyFaces
from sdg.errors import SDGError


def trainer(step: int = 0, parts: int = 1, ranks: int = 1, rank: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        max_steps=6, global_step=step, accumulate_grad_batches=parts, world_size=ranks, global_rank=rank
    )


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_parts_of_all_devices_are_the_batch(ranks: int):
    whole = list(training_batches(trainer(step=2), 10, 8, seed=3))
    parts = [list(training_batches(trainer(2, 1, ranks, rank), 10, 8, seed=3)) for rank in range(ranks)]
    assert len(whole) == 4
    for (step, indices), *shards in zip(whole, *parts, strict=True):
        assert {number for number, _ in shards} == {step}
        dealt = [index for row in zip(*(part for _, part in shards), strict=True) for index in row]
        assert dealt == indices


@pytest.mark.parametrize("step", [0, 2])
def test_accumulated_batches_hold_the_pictures_of_larger_ones(step: int):
    large = [indices for _, indices in training_batches(trainer(step), 10, 6, seed=0)]
    small = [indices for _, indices in training_batches(trainer(step, parts=3), 10, 2, seed=0)]
    assert [[*a, *b, *c] for a, b, c in zip(*[iter(small)] * 3, strict=True)] == large


def test_a_batch_that_does_not_divide_evenly_is_refused():
    with pytest.raises(SDGError, match=r"cannot be divided among 3 devices: .* use a multiple of 3"):
        list(Shard(StepSampler(10, 4, 1), 3, 0))


def test_a_device_gives_the_captions_of_the_whole_batch():
    faces = ToyFaces("train", 8, 32, captions=True)
    whole = faces[3, [5, 1, 2, 7]]
    faces.ranks = 2
    for faces.rank in range(2):
        part = faces[3, [5, 1, 2, 7][faces.rank :: 2]]
        assert part["captions"] == whole["captions"][faces.rank :: 2]
        assert part["descriptions"] == whole["descriptions"][faces.rank :: 2]
