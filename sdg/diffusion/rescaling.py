"""Rescaling: the one exact change of variables between the states of a chain and those a network knows."""

from torch import Tensor

from sdg.diffusion.level import Level
from sdg.diffusion.schedule import Schedule


class Rescaling:
    """States of any process as states of ``schedule``: the same picture and noise, at the same λ.

    x = α x_0 + σ ε becomes (c'/c) x, with c = √(α² + σ²) of its own level and c' of the schedule's level of
    the same λ. Where the two levels are one, that is exactly the identity. Beyond the schedule's range, the
    nearest of its levels is taken.
    """

    def __init__(self, schedule: Schedule):
        self.schedule = schedule

    def level(self, level: Level) -> Level:
        """The schedule's level of the same λ; progress stays that of the chain."""
        return self.schedule.at(level.log_snr)._replace(progress=level.progress)

    def __call__(self, x: Tensor, level: Level) -> Tensor:
        """The state x of noise level ``level`` as one of the schedule's; differentiable."""
        factor = self.level(level).scale / level.scale
        # Of two processes that preserve the variance, c'/c differs from 1 by rounding alone.
        return x if abs(factor - 1) < 1e-12 else factor * x

    def fade(self, level: Level) -> float:
        """The part of a gradient found at the nearest level that holds at ``level``, 1 within the range.

        In ever more noise, what a state says of its picture fades in proportion to α, and so does the slope
        of any function of that. Without this, the shift of x̂_0 that guidance asks for, (σ²/α) g, would grow
        without bound where the encoder does not even see the noise.
        """
        return min(1.0, level.unit.alpha / self.level(level).unit.alpha) if self.clamped(level) else 1.0

    def clamped(self, level: Level) -> bool:
        """Whether ``level`` lies outside of the schedule's range; a finished picture does not."""
        first, last = self.schedule.noisiest.log_snr, self.schedule.clearest.log_snr
        return bool(level.sigma) and not first - 1e-6 <= level.log_snr <= last + 1e-6
