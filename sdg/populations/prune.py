"""Prune: starts many chains and keeps the better part of them at a few steps, down to one.

Nothing is copied and nothing drawn, so it works with any sampler; which chain is best shows early, where the
layout of a picture is decided (rogerioagjr/PSP reports more for the same cost than best of N).

Cost: of 8 particles that are halved after 25, 50 and 75 % of the steps, 3.75 chains.
"""

from collections.abc import Sequence

from torch import Tensor

from sdg.diffusion.process import Moment
from sdg.diffusion.sampler import Sampler
from sdg.errors import SDGError
from sdg.guidance.score import Score
from sdg.populations.population import Crowd, Population, Selection


class Prune(Population):
    """Keeps the better half at each cut.

    Args:
        particles: K at the start.
        cuts: shares of the chain's steps after which half of the particles go on.

    Raises:
        SDGError: cuts that are not shares in ascending order.
    """

    parts = False

    def __init__(self, particles: int = 8, cuts: Sequence[float] = (0.25, 0.5, 0.75)):
        super().__init__(particles)
        if list(cuts) != sorted(set(cuts)) or not all(0 < cut < 1 for cut in cuts):
            raise SDGError(f"population.cuts={list(cuts)} cuts nothing: use shares in order, [0.25, 0.5]")
        self.cuts = list(cuts)

    def over(self, score: Score, sampler: Sampler, crowd: Crowd) -> Selection:
        return Halving(score, crowd, self.particles, self.cuts)


class Halving(Selection):
    """Counts steps, and cuts after some of them; a cut where F rests waits until it does not."""

    def __init__(self, score: Score, crowd: Crowd, particles: int, cuts: Sequence[float]):
        super().__init__(score, crowd, particles)
        self.cuts, self.taken = list(cuts), 0

    def __call__(self, moment: Moment) -> Tensor | None:
        self.taken += 1
        total = self.taken + moment.step.index
        due = bool(self.cuts) and self.taken >= round(self.cuts[0] * total)
        level = moment.step.level if self.clean else moment.step.level_s
        if moment.step.last or not due or self.particles == 1 or self.score.rests(level):
            return None
        self.cuts.pop(0)
        kept, values = max(1, self.particles // 2), self.value(moment).tolist()
        rows = self.rows([_best(row, kept) for row in values], moment.x_s)
        self.particles = kept
        return rows


def _best(values: Sequence[float], count: int) -> list[int]:
    """Where the highest values are, in order; of equals, the first."""
    ranked = sorted(range(len(values)), key=lambda k: -values[k])
    return sorted(ranked[:count])
