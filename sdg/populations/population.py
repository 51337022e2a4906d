r"""Population and Selection: K chains ("particles") for each picture, and which of them go on.

The first particle of an entry has the noise of the plain picture, the others noise of their own; all have its
targets. A population says when particles are compared, by the guide's own F and never by a judge, and what
comes of it. Weights and random numbers are an entry's own, in float64 on the host, so that no entry depends
on another; that reading is the only time the host waits for the device, at the few steps where particles are
compared.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.diffusion.process import Moment
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.guidance.score import Score
from sdg.randomness import keyed_generator


class Crowd(NamedTuple):
    """Whose particles there are."""

    keys: Sequence[tuple[int, ...]]
    """Of the entries, for random numbers."""
    guided: Sequence[bool]
    """Whether an entry is guided; if not, its first particle is its picture."""
    clean: bool
    """Whether F is taken of predicted pictures, instead of states."""


class Population(ABC):
    """How many particles there are, and when and how some of them are chosen.

    Args:
        particles: K.

    Raises:
        SDGError: no particles.
    """

    parts = True
    """Whether particles are copied, and so need noise that parts the copies."""
    untwisted = False
    """Whether the last step must be unguided, if there are several particles."""

    def __init__(self, particles: int):
        if isinstance(particles, bool) or not isinstance(particles, int) or particles < 1:
            raise SDGError(f"population.particles={particles} is no number of particles: use 1 or more")
        self.particles = particles

    @property
    def untwisted_end(self) -> bool:
        """Whether the last step is unguided: not with one particle, which is the plain picture."""
        return self.untwisted and self.particles > 1

    def fit(self, sampler: Sampler, timeline: Timeline) -> None:
        """Get to know the chain before it is walked.

        Raises:
            SDGError: it does not suit.
        """
        if self.parts and self.particles > 1 and not sampler.parts:
            raise SDGError(
                f"{type(self).__name__} copies particles, and this sampler adds no noise to part them: "
                "choose sampler=ddpm or balanced, or population=best_of"
            )

    @abstractmethod
    def over(self, score: Score, sampler: Sampler, crowd: Crowd) -> "Selection":
        """The selection among the particles of these entries, along a chain of ``sampler``."""


class Selection(ABC):
    """Chooses among the particles of one group, along one chain. Rows are entry by entry.

    Args:
        score: F.
        particles: K.
    """

    def __init__(self, score: Score, crowd: Crowd, particles: int):
        self.score, self.particles, self.clean = score, particles, crowd.clean
        self.entries, self.guided = len(crowd.keys), torch.tensor(crowd.guided)[:, None]
        self.generators = [keyed_generator("resample", *key) for key in crowd.keys]

    @abstractmethod
    def __call__(self, moment: Moment) -> Tensor | None:
        """The rows to go on with after a step, (N,) int64, in each entry as many; None: all as they are."""

    def choose(self, images: Tensor) -> Tensor:
        """The row of the finished image of each entry, (entries,): by default of the highest F, of equals
        the first."""
        return self.rows([[row.index(max(row))] for row in self.finished(images).tolist()], images)

    def finished(self, images: Tensor) -> Tensor:
        """F of finished images, (entries, K)."""
        return self.table(self.score.final(images.clamp(-1, 1)))

    def value(self, moment: Moment) -> Tensor:
        """F after a step, (entries, K): of x_s or, if pictures are read, of x̂_0 before the step."""
        step = moment.step
        if self.clean:
            return self.table(self.score.value(moment.prior.x0, step.level))
        return self.table(self.score.value(moment.x_s, step.level_s))

    def table(self, values: Tensor) -> Tensor:
        """(B,) as (entries, K) in float64 on the host; what is not finite is lowest."""
        table = values.cpu().double().view(self.entries, self.particles)
        return torch.where(table.isfinite(), table, -torch.inf)

    def uniform(self) -> Tensor:
        """One number of each entry, (entries,), float64 in [0, 1)."""
        return torch.stack([torch.rand((), dtype=torch.float64, generator=own) for own in self.generators])

    def rows(self, chosen: Sequence[Sequence[int]] | Tensor, images: Tensor) -> Tensor:
        """Particles by entry as rows of the batch, on the device of ``images``."""
        within = torch.as_tensor(chosen, dtype=torch.int64)
        within = torch.where(self.guided, within, torch.arange(within.shape[1]))
        first = torch.arange(self.entries)[:, None] * self.particles
        return (first + within).flatten().to(images.device)


def systematic(weights: Tensor, uniform: Tensor) -> Tensor:
    """Systematic resampling: the smallest j with (uniform + n)/K <= cumulative weight, for n = 0 … K-1.

    Args:
        weights: (entries, K), not negative, some above 0 in each row.
        uniform: (entries,) in [0, 1).

    Returns:
        (entries, K) int64, ascending in each row; of equal weights, every particle once.
    """
    count = weights.shape[1]
    cumulative = (weights / weights.sum(dim=1, keepdim=True)).cumsum(dim=1)
    wanted = (uniform[:, None] + torch.arange(count)) / count
    return torch.searchsorted(cumulative, wanted).clamp(max=count - 1)


def effective(weights: Tensor) -> Tensor:
    """The effective number of particles, from 1 to K: (entries, K) -> (entries,)."""
    return weights.sum(dim=1).square() / weights.square().sum(dim=1)


def normal(log_weights: Tensor) -> Tensor:
    """Weights up to a factor, the largest of each row 1; rows without a finite one are all 1."""
    top = log_weights.amax(dim=1, keepdim=True)
    return torch.where(top.isfinite(), (log_weights - top).exp(), 1.0)
