"""Two settings of experiments/front are compared pair by pair."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.front.points import Point, difference, interval


def point(right: Tensor) -> Point:
    return Point("sdg", 20, 20.0, 1.0, Path(), right.double(), right.double(), 0.1, 1.0, 0.2)


def test_a_difference_of_pairs_is_surer_than_its_sides() -> None:
    generator = torch.Generator().manual_seed(0)
    easy = torch.rand(12, 1, generator=generator, dtype=torch.float64)
    better, worse = (
        point((torch.rand(12, 8, generator=torch.Generator().manual_seed(1)) < easy * share).double())
        for share in (1.0, 0.8)
    )
    value, (low, high) = difference(better, worse)
    assert value == pytest.approx(better.mentioned - worse.mentioned)
    assert 0 < low < value < high
    ends = interval(better)
    assert 0 < ends[0] < better.mentioned < ends[1] < 1
    assert high - low < ends[1] - ends[0]
    assert difference(better, better) == (0, (0, 0))
