r"""Noise schedules: the cumulative product ᾱ_t of the forward process

.. math:: x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad t = 0 \dots T-1.

Everything is float64: near t = 0 the float32 difference 1 - ᾱ_t keeps only four digits.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sdg.errors import SDGError


@dataclass(frozen=True)
class NoiseSchedule:
    """ᾱ of every original timestep: ``alpha_bar`` is (T,) float64, strictly decreasing inside (0, 1)."""

    alpha_bar: Tensor

    def __post_init__(self) -> None:
        a = self.alpha_bar
        if a.dtype != torch.float64 or a.ndim != 1 or not ((a > 0) & (a < 1)).all() or (a.diff() >= 0).any():
            raise SDGError("alpha_bar of a noise schedule must be a float64 vector that falls inside (0, 1)")

    def __len__(self) -> int:
        return len(self.alpha_bar)

    @classmethod
    def linear(cls, steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> "NoiseSchedule":
        """DDPM's and ADM's schedule: β linear from ``start`` to ``end`` inclusive, given for 1000 steps.

        For another number of steps, β is scaled by 1000/steps, as in ADM.
        """
        scale = 1000 / steps
        beta = torch.linspace(scale * start, scale * end, steps, dtype=torch.float64)
        return cls((1 - beta).cumprod(0))

    @classmethod
    def cosine(cls, steps: int = 1000, offset: float = 0.008, max_beta: float = 0.999) -> "NoiseSchedule":
        """Nichol & Dhariwal (2021), eq. 17: ᾱ(u) ∝ cos²(π/2 (u + offset)/(1 + offset)), β ≤ ``max_beta``."""
        u = torch.arange(steps + 1, dtype=torch.float64) / steps
        alpha_bar = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
        beta = (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)
        return cls((1 - beta).cumprod(0))

    def diffuse(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """q(x_t | x_0): x0 and noise (B, C, H, W), t (B,) original timesteps -> x_t (B, C, H, W)."""
        a, sigma = self.coefficients(t, x0)
        return a * x0 + sigma * noise

    def coefficients(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1-ᾱ_t) of original timesteps t (B,), (B, 1, …, 1) in the dtype of ``like`` (B, …)."""
        return look_up(self.alpha_bar.sqrt(), t, like), look_up((1 - self.alpha_bar).sqrt(), t, like)


def look_up(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """Entries t (B,) of a float64 table over timesteps, (B, 1, …, 1) in the dtype of ``like`` (B, …)."""
    # Cast before moving: not every device supports float64.
    return table.to(like.dtype).to(t.device)[t].view(-1, *[1] * (like.ndim - 1))
