"""What chance does to measures that are not smooth, from halves of both sets.

Whether a picture is in some ball depends on its few neighbours. Errors found by leaving pictures out one
by one count the chance of all these each time and add up to about twice the variance, however many there
are. Two halves of a set share nothing: a measure of one less that of the other has the variance of both,
and of half as many pictures it has twice the variance.

References:
    | Efron & Stein, "The jackknife estimate of variance", 1981: it is never too small
    | Shao & Wu, "A general theory for jackknife variance estimation", 1989: leave out many
"""

import torch
from torch import Tensor

from sdg.randomness import keyed_generator

SPLITS = 32
"""How often sets are halved at random."""
MOST = 2000
"""Pictures of a set that are halved, the first of a random order."""
_NEAREST = 64
"""Neighbours of a picture that are known: the chance that fewer than 6 of them are in a half is 10⁻¹²."""


def variances_by_halves(samples: Tensor, reference: Tensor, k: int, k_density: int) -> dict[str, float]:
    """The variances of precision, recall and coverage as if all pictures were drawn independently.

    None are given if balls reach for more neighbours than the halves have.

    Args:
        samples: (N, D); ``reference`` (M, D).
        k: the neighbour that balls reach; ``k_density`` is coverage's.
    """
    generator = keyed_generator("halves")
    share = min(1.0, MOST / max(len(samples), len(reference)))
    sizes = [int(share * len(each)) // 2 for each in (samples, reference)]
    if min(sizes) <= max(k, k_density):
        return {}
    x, y = (
        each[torch.randperm(len(each), generator=generator)[: 2 * size]].double()
        for each, size in zip((samples, reference), sizes, strict=True)
    )
    away, own, its = torch.cdist(x, y), _Nearest(x), _Nearest(y)
    found = torch.zeros(3, dtype=torch.float64)
    for _ in range(SPLITS):
        halves = zip(
            *(torch.randperm(2 * size, generator=generator).split(size) for size in sizes), strict=True
        )
        one, other = (
            _shares(away[i][:, j], own.radii(i, k), its.radii(j, k), its.radii(j, k_density))
            for i, j in halves
        )
        found += (one - other).square() / 4
    return dict(zip(("precision", "recall", "coverage"), (found / SPLITS * share).tolist(), strict=True))


class _Nearest:
    """The nearest others of each of N points, so many that a random half of the points has enough of them."""

    def __init__(self, x: Tensor):
        count = min(_NEAREST, len(x) - 1)
        away = torch.cdist(x, x).fill_diagonal_(torch.inf)
        self.away, self.index = away.topk(count, largest=False)

    def radii(self, rows: Tensor, k: int) -> Tensor:
        """(n,) how far the k-th nearest of ``rows`` is from each of them."""
        among = torch.zeros(len(self.away), dtype=torch.bool)
        among[rows] = True
        reached = among[self.index[rows]].cumsum(dim=1) >= k
        place = torch.where(reached.any(dim=1), reached.byte().argmax(dim=1), self.away.shape[1] - 1)
        return self.away[rows].gather(1, place[:, None])[:, 0]


def _shares(away: Tensor, own: Tensor, around: Tensor, dense: Tensor) -> Tensor:
    """Precision, recall and coverage from distances (n, m) and radii (n,), (m,) and (m,): (3,)."""
    precision = (away <= around).any(dim=1)
    recall = (away <= own[:, None]).any(dim=0)
    coverage = (away <= dense).any(dim=0)
    return torch.stack([each.double().mean() for each in (precision, recall, coverage)])
