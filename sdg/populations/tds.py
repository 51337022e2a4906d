r"""TDS: the twisted diffusion sampler (Wu et al., arXiv 2306.17775), sequential Monte Carlo.

With ψ = F the twist, p the unguided step and q the guided one, each particle's weight grows in every step by

.. math:: \log p(x_s \mid x_t) - \log q(x_s \mid x_t) + \psi(x_s) - \psi(x_t)

so that the finished particles, weighted, are samples of the prior tilted by exp F, the better the larger K.
The last step is unguided. Particles are resampled systematically where few have most of the weight; one is
drawn at the end, in proportion to the weights.

ψ reads x_s itself where the guide can, one pass without a gradient; where it reads pictures, x̂_0 at x_t, so
that the weight of a state comes a step late and the two terms of a step are used one after the other, which
is as exact.

Official code (blt2114/twisted_diffusion_sampler): resamples at every step; F is a classifier's
log-probability at the prediction, whose gradient goes through the prior, which here is ``estimator=clip_x0``
under DDPM.

It needs steps whose noise is Gaussian around a guided mean: the ports of the prediction, the transport and
the state, not those that turn the noise, nor recurrence.

Cost: K chains, and K passes of the guide without a gradient in each step. A sampler that adds noise.
"""

import torch
from torch import Tensor

from sdg.diffusion.process import Moment
from sdg.diffusion.sampler import Sampler, spread
from sdg.guidance.score import Score
from sdg.populations.population import Crowd, Population, Selection, effective, normal, systematic


class TDS(Population):
    """Weighs every step.

    Args:
        below: resample if the effective number of particles is below this share of K; 1: always.
    """

    untwisted = True

    def __init__(self, particles: int = 4, below: float = 0.5):
        super().__init__(particles)
        self.below = below

    def over(self, score: Score, sampler: Sampler, crowd: Crowd) -> Selection:
        return Twisted(score, crowd, self.particles, sampler, self.below)


class Twisted(Selection):
    """Keeps the weights of a group along one chain."""

    def __init__(
        self,
        score: Score,
        crowd: Crowd,
        particles: int,
        sampler: Sampler,
        below: float,
    ):
        super().__init__(score, crowd, particles)
        self.sampler, self.below = sampler, below
        self.log = torch.zeros(self.entries, particles, dtype=torch.float64)
        self.twist: Tensor | None = None

    def __call__(self, moment: Moment) -> Tensor | None:
        if self.particles == 1:
            return None
        if self.clean:
            self._twisted(self.value(moment))
            if moment.step.last:
                return None
            chosen = self._resampled()
            self.log = self.log + self._gained(moment).gather(1, chosen)
        else:
            if self.twist is None:
                self._twisted(self.table(self.score.value(moment.x_t, moment.step.level)))
            self.log = self.log + self._gained(moment)
            if moment.step.last:
                return None
            self._twisted(self.value(moment))
            chosen = self._resampled()
        return self.rows(chosen, moment.x_s)

    def choose(self, images: Tensor) -> Tensor:
        if self.particles == 1:
            return self.rows([[0]] * self.entries, images)
        self._twisted(self.finished(images))
        weights = normal(self.log)
        cumulative = (weights / weights.sum(dim=1, keepdim=True)).cumsum(dim=1)
        drawn = torch.searchsorted(cumulative, self.uniform()[:, None]).clamp(max=self.particles - 1)
        return self.rows(drawn, images)

    def _twisted(self, twist: Tensor) -> None:
        """ψ of the states that particles have come to, in place of that of those they come from."""
        self.log = self.log + twist - (0 if self.twist is None else self.twist)
        self.twist = twist

    def _resampled(self) -> Tensor:
        """Who goes on, (entries, K); entries with enough particles that count go on as they are."""
        assert self.twist is not None
        weights, uniform = normal(self.log), self.uniform()
        few = (effective(weights) < self.below * self.particles)[:, None]
        chosen = torch.where(few, systematic(weights, uniform), torch.arange(self.particles))
        self.log = torch.where(few, 0.0, self.log)
        self.twist = self.twist.gather(1, chosen)
        return chosen

    def _gained(self, moment: Moment) -> Tensor:
        """log p(x_s | x_t) - log q(x_s | x_t), (entries, K); 0 at the last step, which is not guided."""
        if moment.step.last:
            return torch.zeros_like(self.log)
        still = torch.zeros_like(moment.noise)
        mean = self.sampler.step(moment.x_t, moment.prior, moment.step, still, moment.previous)
        deviation = spread(self.sampler, moment.prior, moment.step)
        unguided = (moment.x_s - mean) / deviation
        # (‖z‖² - ‖z'‖²)/2, without the difference of two large sums.
        return self.table(((moment.noise - unguided) * (moment.noise + unguided)).flatten(1).sum(dim=1) / 2)
