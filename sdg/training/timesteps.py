"""Which times of its schedule a prior is trained on."""

from typing import Protocol

import torch
from torch import Tensor

from sdg.diffusion.schedule import Schedule
from sdg.errors import SDGError


class Timesteps(Protocol):
    """Quantiles u (B,) in [0, 1) -> times t (B,): original timesteps, int64, or real numbers."""

    def __call__(self, u: Tensor, schedule: Schedule) -> Tensor: ...


class Uniform:
    """No preference (Ho et al. 2020)."""

    def __call__(self, u: Tensor, schedule: Schedule) -> Tensor:
        return schedule.spread(u)


class LogNormal:
    """Densest where details are decided: log(σ/α) ~ N(mean, std²) (Karras et al. 2022, appendix F).

    Args:
        mean, std: of the logarithm of the noise relative to the signal.
        uniform: share of the timesteps drawn uniformly, so that no level is neglected.
    """

    def __init__(self, mean: float = 0.1, std: float = 1.1, uniform: float = 0.2):
        if not std > 0 or not 0 <= uniform < 1:
            raise SDGError(f"timesteps of std={std} and uniform={uniform} cannot be drawn: use > 0, 0 to 1")
        self.mean, self.std, self.uniform = mean, std, uniform

    def __call__(self, u: Tensor, schedule: Schedule) -> Tensor:
        place = ((u - self.uniform) / (1 - self.uniform)).clamp(1e-6, 1 - 1e-6)
        drawn = schedule.times(self.mean + self.std * torch.special.ndtri(place))
        uniform = Uniform()((u / self.uniform).clamp(max=1 - 1e-6), schedule) if self.uniform else drawn
        return torch.where(u < self.uniform, uniform, drawn)
