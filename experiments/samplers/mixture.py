r"""A prior, a guide and a posterior in closed form: pixels that are independent mixtures of Gaussians.

With x_0 ~ Σ w_k N(m_k, s_k²) every noised state is a mixture too, and so is x_0 given a measurement
y = x_0 + τ n. Bayes' rule then gives the exact guide towards it at every noise level:

.. math:: \nabla \log p(y \mid x_t) = \nabla \log p(x_t \mid y) - \nabla \log p(x_t).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdg.diffusion.level import Level
from sdg.diffusion.process import Guide
from sdg.diffusion.timeline import Timeline


@dataclass(frozen=True)
class Mixture:
    """Σ w_k N(m_k, s_k²) of one pixel: weights (they sum to 1), means and standard deviations."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(w * m for w, m in zip(self.weights, self.means, strict=True))

    def moment(self, order: int) -> float:
        """E[(x - mean)^order], order 2 or 4."""
        total = 0.0
        for w, m, s in zip(self.weights, self.means, self.stds, strict=True):
            d = m - self.mean
            total += w * (d**2 + s**2 if order == 2 else d**4 + 6 * d**2 * s**2 + 3 * s**4)
        return total

    def shares(self, borders: Sequence[float]) -> list[float]:
        """The probability of each interval that ``borders``, in ascending order, cut the line into."""
        below = [self._below(border) for border in borders]
        return [b - a for a, b in zip([0.0, *below], [*below, 1.0], strict=True)]

    def _below(self, x: float) -> float:
        parts = zip(self.weights, self.means, self.stds, strict=True)
        return sum(w * 0.5 * (1 + math.erf((x - m) / (s * math.sqrt(2)))) for w, m, s in parts)

    def given(self, y: float, tau: float) -> "Mixture":
        """p(x | y) for a measurement y = x + tau n, n standard normal."""
        evidence, means, stds = [], [], []
        for w, m, s in zip(self.weights, self.means, self.stds, strict=True):
            total = s**2 + tau**2
            evidence.append(w * math.exp(-((y - m) ** 2) / (2 * total)) / math.sqrt(total))
            means.append((m * tau**2 + y * s**2) / total)
            stds.append(s * tau / math.sqrt(total))
        return Mixture(tuple(e / sum(evidence) for e in evidence), tuple(means), tuple(stds))

    def noised(self, level: Level) -> "Mixture":
        """p(x_t) if clean pixels have this distribution."""
        a, sigma = level.alpha, level.sigma
        stds = tuple(math.hypot(a * s, sigma) for s in self.stds)
        return Mixture(self.weights, tuple(a * m for m in self.means), stds)

    def density(self, x: Tensor) -> Tensor:
        """p(x), in the shape of x."""
        weights, means, stds = self._columns(x)
        bells = torch.exp(-0.5 * ((x - means) / stds) ** 2) / (stds * math.sqrt(2 * math.pi))
        return (weights * bells).sum(0)

    def score(self, x: Tensor) -> Tensor:
        """∇ log p(x), in the shape of x."""
        _, means, stds = self._columns(x)
        return (self._responsibilities(x) * (means - x) / stds**2).sum(0)

    def clean(self, x_t: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        """E[x_0 | x_t] and Var[x_0 | x_t], in the shape of x_t."""
        a = level.alpha
        noised = self.noised(level)
        share = noised._responsibilities(x_t)
        _, means, stds = self._columns(x_t)
        _, noised_means, noised_stds = noised._columns(x_t)
        gain = a * (stds / noised_stds) ** 2
        centres = means + gain * (x_t - noised_means)
        widths = (stds * level.sigma / noised_stds) ** 2
        mean = (share * centres).sum(0)
        return mean, (share * (widths + (centres - mean) ** 2)).sum(0)

    def _responsibilities(self, x: Tensor) -> Tensor:
        """p(component | x), components first: (K, *x.shape)."""
        weights, means, stds = self._columns(x)
        return (weights.log() - stds.log() - 0.5 * ((x - means) / stds) ** 2).softmax(0)

    def _columns(self, x: Tensor) -> list[Tensor]:
        """Weights, means and standard deviations as (K, 1, …, 1), to be broadcast against x."""
        columns = (self.weights, self.means, self.stds)
        return [torch.tensor(c, dtype=x.dtype, device=x.device).view(-1, *[1] * x.ndim) for c in columns]


class ExactNetwork(nn.Module):
    """The network that no training could improve: E[x_0 | x_t] and, on request, the true variance of x_s.

    Args:
        timeline: the steps to be taken; the variance depends on their lengths.
        learned_variance: output a second set of channels, like a network that learned its variance.
    """

    def __init__(self, mixture: Mixture, timeline: Timeline, learned_variance: bool = False):
        super().__init__()
        self.mixture, self.learned_variance = mixture, learned_variance
        self.steps = {step.t: step for step in timeline}

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        step = self.steps[int(t)]
        x0, spread = self.mixture.clean(x_t, step.level)
        if not self.learned_variance:
            return x0
        # Var[x_s | x_t] = β̃ + c1² Var[x_0 | x_t]: the noise given x_0, and the uncertainty of x_0.
        log_variance = (step.beta_tilde + step.c1**2 * spread).log()
        fraction = (log_variance - step.log_beta_tilde) / (step.log_beta - step.log_beta_tilde)
        return torch.cat([x0, 2 * fraction - 1], dim=1)


def exact_guide(prior: Mixture, posterior: Mixture) -> Guide:
    """∇ log p(y | x_t), for the measurement that turns ``prior`` into ``posterior``."""

    def guide(x: Tensor, level: Level) -> Tensor:
        return posterior.noised(level).score(x) - prior.noised(level).score(x)

    return guide
