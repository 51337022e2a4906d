"""Two points of a grid are compared pair by pair."""

import pytest
import torch
from torch import Tensor

from experiments.grid import Point, Way
from sdg.metrics.intervals import mean_spread, share_interval
from sdg.metrics.measure import measured
from sdg.metrics.units import Units


def point(right: Tensor) -> Point[Way]:
    """From (P, n), a prompt's samples in a row; all prompts have the same noises."""
    prompts, samples = right.shape
    keys = [(prompt, noise) for prompt in range(prompts) for noise in range(samples)]
    units = Units({"prompt": [prompt for prompt, _ in keys], "noise": [noise for _, noise in keys]})
    values = right.double().flatten()
    spread = mean_spread(units, values)
    measure = measured("a", float(values.mean()), len(values), spread, ends_of=share_interval)
    return Point(Way("a", []), {"a": measure})


def test_a_difference_of_pairs_is_surer_than_its_sides() -> None:
    generator = torch.Generator().manual_seed(0)
    easy = torch.rand(12, 1, generator=generator, dtype=torch.float64)
    better, worse = (
        point((torch.rand(12, 8, generator=torch.Generator().manual_seed(1)) < easy * share).double())
        for share in (1.0, 0.8)
    )
    found = better.more(worse, "a")
    low, high = found.interval or (0.0, 0.0)
    assert found.value == pytest.approx(better.value("a") - worse.value("a"))
    assert 0 < low < found.value < high
    ends = better.ends("a")
    assert 0 < ends[0] < better.value("a") < ends[1] < 1
    assert high - low < ends[1] - ends[0]
    same = better.more(better, "a")  # which is no certainty
    assert (same.value, same.interval) == (0, None)


def test_a_shift_that_all_pairs_share_is_nearly_beyond_doubt() -> None:
    """A quarter more right nearly everywhere, however much pictures differ."""
    right = torch.rand(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 2 + 0.3
    change = 0.25 + 1e-3 * torch.rand(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = point(right).more(point(right - change), "a")
    assert found.value == pytest.approx(0.25, abs=1e-3)
    assert found.interval == pytest.approx((0.25, 0.25), abs=2e-3)
