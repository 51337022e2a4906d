"""Bootstrap intervals.

References:
    B. Efron, "Bootstrap methods: another look at the jackknife", 1979; here the percentile interval.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sdg.randomness import keyed_generator

Interval = tuple[float, float]


def bootstrap(
    statistic: Callable[..., Tensor], *sizes: int, draws: int = 1000, seed: int = 0, level: float = 0.95
) -> list[Interval | None]:
    """Percentile intervals of a statistic under resampling with replacement.

    Args:
        statistic: takes one int64 tensor of ``size`` indices in [0, size) for each of ``sizes`` and returns K
            numbers; NaN, from a draw that leaves nothing to average, is ignored.
        sizes: how many of each thing were drawn independently, such as prompts, or prompts and seeds.
        level: probability that the interval covers.

    Returns:
        K pairs (low, high), or K times None if every size is 1, which leaves nothing to resample.
    """
    if max(sizes) < 2:
        return [None] * len(statistic(*(torch.zeros(size, dtype=torch.int64) for size in sizes)))
    generator = keyed_generator("bootstrap", seed)
    values = [
        statistic(*(torch.randint(size, (size,), generator=generator) for size in sizes))
        for _ in range(draws)
    ]
    return list(percentiles(torch.stack(values), level))


def percentiles(values: Tensor, level: float = 0.95) -> list[Interval]:
    """The central ``level`` of a statistic's resampled values (R, K): K pairs (low, high)."""
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = values.double().nanquantile(tails, dim=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def multiplicities(size: int, draws: int, generator: torch.Generator) -> Tensor:
    """How often each of ``size`` things occurs in each of ``draws`` resamples: (size, draws) float64."""
    drawn = torch.randint(size, (size, draws), generator=generator)
    return torch.zeros(size, draws, dtype=torch.float64).scatter_add_(
        0, drawn, torch.ones_like(drawn, dtype=torch.float64)
    )
