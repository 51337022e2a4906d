r"""FK: Feynman-Kac steering (Singhal et al., arXiv 2501.06848). Particles multiply by how their F develops.

At some steps, with r = F and r' that of the time before, particle k of an entry is copied in proportion to

=========  ==================================================
potential  weight
=========  ==================================================
``diff``   exp λ (r - r')
``max``    exp λ (the highest r so far)
``add``    exp λ (the sum of all r so far)
``rt``     exp λ r
=========  ==================================================

by systematic resampling. F is the guide's, scale included: with a guide that reads x_t, the twist F(x_s, s)
is one pass without a gradient and needs no prediction of the prior, which no other method has.

Official code (zacharyhorvitz/Fk-Diffusion-Steering): multinomial over the whole batch; with ``adaptive``, the
weights of a time at which nothing is resampled are dropped (``drop``), while here they are kept until the
next; ``max`` begins with an r of 0 (``least``), so that it chooses nothing while all are below.

Cost: K chains, and K passes of the guide without a gradient at each comparison. A sampler that adds noise.
"""

from typing import Literal

import torch
from torch import Tensor

from sdg.diffusion.process import Moment
from sdg.diffusion.sampler import Sampler
from sdg.errors import SDGError
from sdg.guidance.score import Score
from sdg.populations.population import Crowd, Population, Selection, effective, normal, systematic

Kind = Literal["diff", "max", "add", "rt"]


class FK(Population):
    """Resamples every few steps, and returns the particle of the highest F.

    Args:
        strength: λ.
        potential: ``diff``, ``max``, ``add`` or ``rt``.
        every: steps between two comparisons.
        start, stop: progress between which particles are compared.
        below: resample only if the effective number of particles is below this share of K; 1: always.
        drop: forget the weights of comparisons without resampling, as the official code does.

    Raises:
        SDGError: an unknown potential, or a window or interval that is none.
    """

    def __init__(
        self,
        particles: int = 4,
        strength: float = 1.0,
        potential: Kind = "diff",
        every: int = 5,
        start: float = 0.0,
        stop: float = 1.0,
        below: float = 1.0,
        drop: bool = False,
    ):
        super().__init__(particles)
        if potential not in ("diff", "max", "add", "rt"):
            raise SDGError(f"population.potential={potential} is unknown: use diff, max, add or rt")
        if not isinstance(every, int) or every < 1:
            raise SDGError(f"population.every={every} is no number of steps: use 1 or more")
        if not 0 <= start < stop <= 1:
            raise SDGError(f"a window from {start} to {stop} is empty: use 0 <= start < stop <= 1")
        self.strength, self.potential, self.every = strength, potential, every
        self.start, self.stop, self.below, self.drop = start, stop, below, drop

    def over(self, score: Score, sampler: Sampler, crowd: Crowd) -> Selection:
        return Steering(score, crowd, self.particles, self)


class Weights:
    """The potentials of K particles of each entry, and what they were before.

    Args:
        shape: (entries, K).
        least: r before the first comparison.
    """

    def __init__(
        self, kind: Kind, strength: float, shape: tuple[int, int], drop: bool = False, least: float = 0.0
    ):
        self.kind, self.strength, self.drop = kind, strength, drop
        self.carried = torch.full(shape, least, dtype=torch.float64)
        """What is kept of earlier F: the last, the highest or the sum."""
        self.product = torch.zeros(shape, dtype=torch.float64)
        """The log of all weights by which a particle's ancestors were resampled."""
        self.log = torch.zeros(shape, dtype=torch.float64)
        """The log of the weights that no resampling has used yet."""

    def add(self, rewards: Tensor, last: bool = False) -> Tensor:
        """Weights at a comparison, (entries, K); at the last, what the product of all ought to be is made up
        for, unless that is what differences give anyway."""
        found = {
            "diff": rewards - self.carried,
            "max": torch.maximum(rewards, self.carried),
            "add": rewards + self.carried,
            "rt": rewards,
        }[self.kind]
        self.carried = rewards if self.kind in ("diff", "rt") else found
        log = self.strength * found - (self.product if last and self.kind != "diff" else 0)
        self.log = log if self.drop else self.log + log
        return self.log.exp()

    def take(self, chosen: Tensor) -> None:
        """Go on with these particles, (entries, K), whose weights are used."""
        self.carried = self.carried.gather(1, chosen)
        self.product = (self.product + self.log).gather(1, chosen)
        self.log = torch.zeros_like(self.log)


class Steering(Selection):
    """Compares the particles of a group every few steps."""

    def __init__(self, score: Score, crowd: Crowd, particles: int, how: FK):
        super().__init__(score, crowd, particles)
        self.how, self.taken = how, 0
        least = -torch.inf if how.potential == "max" else 0.0
        shape = (self.entries, particles)
        self.weights = Weights(how.potential, how.strength, shape, how.drop, least)

    def __call__(self, moment: Moment) -> Tensor | None:
        self.taken += 1
        level = moment.step.level if self.clean else moment.step.level_s
        now = self.taken % self.how.every == 0 and self.how.start <= level.progress <= self.how.stop
        if self.particles == 1 or moment.step.last or not now or self.score.rests(level):
            return None
        self.weights.add(self.value(moment))
        weights, uniform = normal(self.weights.log), self.uniform()
        few = effective(weights) < self.how.below * self.particles
        every = torch.arange(self.particles).expand(self.entries, -1)
        # An entry that is not resampled goes on as it is, with its weights.
        chosen = torch.where(few[:, None], systematic(weights, uniform), every)
        waiting = self.weights.log.clone()
        product = self.weights.product.clone()
        self.weights.take(chosen)
        self.weights.log[~few], self.weights.product[~few] = waiting[~few], product[~few]
        return self.rows(chosen, moment.x_s)
