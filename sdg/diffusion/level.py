r"""Level: how noisy a state is, whatever the schedule.

.. math:: x = \alpha\, x_0 + \sigma\, \epsilon, \qquad \lambda = \log(\alpha/\sigma)

λ alone says what can be seen of x_0. How the state is scaled is a convention: with c = √(α² + σ²), x/c is the
state of unit scale, that of a variance-preserving process, and holds the same picture and the same noise.
"""

import math
from typing import NamedTuple

from torch import Tensor


class Level(NamedTuple):
    """A noise level, in plain Python floats: float64 on every device."""

    alpha: float
    """The weight of the picture; 1 for a finished one."""
    sigma: float
    """The standard deviation of the noise; 0 for a finished picture."""
    t: float
    """The time as its schedule counts it, an int if it counts timesteps; for a finished picture, that of the
    least noise."""
    progress: float
    """How far the chain has come: 0 at the noisiest time of the schedule, 1 at that of the least noise."""

    @classmethod
    def vp(cls, t: float, alpha_bar: float, progress: float) -> "Level":
        """A level of a variance-preserving process, by ᾱ = α² = 1 - σ²."""
        return cls(alpha_bar**0.5, (1 - alpha_bar) ** 0.5, t, progress)

    @property
    def log_snr(self) -> float:
        """λ = log(α/σ), half the log of the signal-to-noise ratio; infinite for a finished picture."""
        if not self.sigma:
            return math.inf
        return math.log(self.alpha / self.sigma) if self.alpha else -math.inf

    @property
    def scale(self) -> float:
        """c = √(α² + σ²); 1 for a variance-preserving process."""
        return math.hypot(self.alpha, self.sigma)

    @property
    def alpha_bar(self) -> float:
        """α²/(α² + σ²): the ᾱ of a variance-preserving process at the same λ."""
        return self.alpha**2 / (self.alpha**2 + self.sigma**2)

    @property
    def unit(self) -> "Level":
        """The level of x/c, of unit scale."""
        scale = self.scale
        # Of a process that preserves the variance, c differs from 1 by rounding alone.
        if abs(scale - 1) < 1e-12:
            return self
        return self._replace(alpha=self.alpha / scale, sigma=self.sigma / scale)

    def diffuse(self, x0: Tensor, noise: Tensor) -> Tensor:
        """x0 noised to this level, q(x | x_0); both (B, C, H, W)."""
        return self.alpha * x0 + self.sigma * noise


CLEAN = Level(1.0, 0.0, 0, 1.0)
"""The noise level of a finished picture."""
