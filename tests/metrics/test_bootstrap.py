import math

import pytest
import torch
from torch import Tensor

from sdg.metrics.bootstrap import bootstrap


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    x = normal(400)
    ((low, high),) = bootstrap(lambda i: x[i].mean(dim=0, keepdim=True), 400, draws=4000)
    half = 1.96 * x.std().item() / math.sqrt(400)
    assert low == pytest.approx(x.mean().item() - half, abs=0.1 * half)
    assert high == pytest.approx(x.mean().item() + half, abs=0.1 * half)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    worlds = normal(40, 300)
    intervals = bootstrap(lambda i: worlds[i].mean(dim=0), 40, draws=500)
    covered = sum(low < 0 < high for low, high in intervals)
    assert 0.89 < covered / 300 < 0.98


def test_what_is_drawn_together_is_resampled_together() -> None:
    """Prompts that share their seeds are worth few independent samples: the interval must show it."""
    shared = normal(12).expand(200, 12)
    ((low, high),) = bootstrap(lambda p, s: shared[p][:, s].mean().view(1), 200, 12, draws=2000)
    ((low_12, high_12),) = bootstrap(lambda s: shared[0, s].mean().view(1), 12, draws=2000)
    assert high - low == pytest.approx(high_12 - low_12, rel=0.1)


def test_every_factor_is_resampled_by_itself() -> None:
    """A statistic of one factor alone has the interval of that factor, whichever it is."""
    x, sizes = normal(50), list[tuple[int, int]]()

    def of_second(p: Tensor, s: Tensor) -> Tensor:
        sizes.append((len(p), len(s)))
        assert p.max() < 3
        return x[s].mean().view(1)

    ((low, high),) = bootstrap(of_second, 3, 50, draws=2000)
    half = 1.96 * x.std().item() / math.sqrt(50)
    assert high - low == pytest.approx(2 * half, rel=0.1)
    assert set(sizes) == {(3, 50)}
    ((low, high),) = bootstrap(lambda p, s: x[p].mean().view(1), 50, 3, draws=2000)
    assert high - low == pytest.approx(2 * half, rel=0.1)


def test_a_seed_repeats_and_nan_is_left_out() -> None:
    x = normal(20)
    x[0] = math.nan

    def first_or_mean(i: Tensor) -> Tensor:
        return torch.stack([x[i].mean(), x[i].nanmean()])

    once, again, other = (bootstrap(first_or_mean, 20, seed=seed) for seed in (1, 1, 2))
    assert once == again != other
    assert all(math.isfinite(end) for interval in once for end in interval)


def test_one_of_a_kind_has_no_interval() -> None:
    assert bootstrap(lambda i: torch.ones(3), 1) == [None, None, None]
