r"""Schedules: the (α, σ) of a forward process at each of its times t

.. math:: x_t = \alpha_t\, x_0 + \sigma_t\, \epsilon

===================  ==========================  =============================================
schedule             α, σ                        t
===================  ==========================  =============================================
NoiseSchedule        √ᾱ_t, √(1-ᾱ_t)              0 … T-1, original timesteps
VarianceExploding    1, t                        the standard deviation itself (EDM's, NCSN++'s)
Flow                 1 - t, t                    from 0, the picture, to 1, noise
===================  ==========================  =============================================

Everything is float64: near t = 0 the float32 difference 1 - ᾱ_t keeps only four digits.
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from sdg.diffusion.level import CLEAN, Level
from sdg.errors import SDGError


class Schedule(ABC):
    """One noun for variance-preserving, variance-exploding and flow processes."""

    @property
    @abstractmethod
    def ends(self) -> tuple[float, float]:
        """The times of the least and of the most noise."""

    @abstractmethod
    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at times t (B,): (B,) float64 on the CPU."""

    @abstractmethod
    def time(self, log_snr: float) -> float:
        """The time at which λ = log(α/σ) is ``log_snr``; outside of the schedule's range, its nearer end."""

    @abstractmethod
    def level(self, t: float) -> Level:
        """The noise level at time t."""

    @abstractmethod
    def times(self, noise: Tensor) -> Tensor:
        """The times at which log(σ/α) is ``noise`` (B,): (B,), for training; within the schedule's range."""

    @abstractmethod
    def spread(self, u: Tensor) -> Tensor:
        """Times that are as evenly spread over the schedule as the numbers u (B,) over [0, 1)."""

    def within(self, other: "Schedule") -> "Schedule":
        """This kind of process over the range of λ that both have: what a prior on ``other`` can draw on."""
        return self

    def at(self, log_snr: float) -> Level:
        """The level of this λ, or the nearest that there is; for an infinite one, a finished picture."""
        if log_snr == math.inf:
            return CLEAN._replace(t=self.ends[0])
        return self.level(self.time(log_snr))

    @property
    def clearest(self) -> Level:
        """The level of the least noise."""
        return self.level(self.ends[0])

    @property
    def noisiest(self) -> Level:
        """The level of the most noise."""
        return self.level(self.ends[1])

    def diffuse(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """q(x_t | x_0): x0 and noise (B, C, H, W), t (B,) -> x_t (B, C, H, W)."""
        a, sigma = self.coefficients(t, x0)
        return a * x0 + sigma * noise

    def coefficients(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at times t (B,), (B, 1, …, 1) in the dtype of ``like`` (B, …)."""
        shape = (-1, *[1] * (like.ndim - 1))
        a, sigma = self.alpha_sigma(t)
        # Cast before moving: not every device supports float64.
        return a.to(like.dtype).to(t.device).view(shape), sigma.to(like.dtype).to(t.device).view(shape)


@dataclass(frozen=True)
class NoiseSchedule(Schedule):
    """ᾱ of every original timestep: ``alpha_bar`` is (T,) float64, strictly decreasing inside (0, 1)."""

    alpha_bar: Tensor

    def __post_init__(self) -> None:
        a = self.alpha_bar
        if a.dtype != torch.float64 or a.ndim != 1 or not ((a > 0) & (a < 1)).all() or (a.diff() >= 0).any():
            raise SDGError("alpha_bar of a noise schedule must be a float64 vector that falls inside (0, 1)")

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def __str__(self) -> str:
        first, middle, last = (self.level(i * (len(self) - 1) // 2).log_snr for i in range(3))
        return f"{len(self)} timesteps with λ from {first:.3f} through {middle:.3f} to {last:.3f}"

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

    @property
    def ends(self) -> tuple[float, float]:
        return 0, len(self) - 1

    @cached_property
    def _alpha_bar(self) -> list[float]:
        """As Python's numbers: in a step, none is read from a tensor."""
        return self.alpha_bar.tolist()

    @cached_property
    def _noise(self) -> list[float]:
        """-λ of every timestep, ascending."""
        return [-self.level(t).log_snr for t in range(len(self))]

    def level(self, t: float) -> Level:
        """At a timestep; between two of them, λ is interpolated."""
        progress = 1 - t / max(len(self) - 1, 1)
        if t == int(t):
            return Level.vp(int(t), self._alpha_bar[int(t)], progress)
        low, part = int(t), t - int(t)
        noise = self._noise[low] + part * (self._noise[low + 1] - self._noise[low])
        return Level.vp(t, 1 / (1 + math.exp(2 * noise)), progress)

    def time(self, log_snr: float) -> float:
        i = bisect_left(self._noise, -log_snr)
        if i in (0, len(self)):
            return min(i, len(self) - 1)
        low, high = self._noise[i - 1], self._noise[i]
        t = i - 1 + (-log_snr - low) / (high - low)
        # A timestep that was met but for rounding is that timestep.
        return round(t) if abs(t - round(t)) < 1e-6 else t

    def times(self, noise: Tensor) -> Tensor:
        """The first timesteps that are as noisy."""
        alpha_bar = self.alpha_bar.to(torch.float32).to(noise.device)
        levels = 0.5 * ((1 - alpha_bar) / alpha_bar).log()
        return torch.searchsorted(levels, noise).clamp(max=len(self) - 1)

    def spread(self, u: Tensor) -> Tensor:
        return (u * len(self)).long()

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = self.alpha_bar[t.cpu()]
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def coefficients(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Looked up on the device of t, which the host need not wait for."""
        return look_up(self.alpha_bar.sqrt(), t, like), look_up((1 - self.alpha_bar).sqrt(), t, like)


@dataclass(frozen=True)
class Continuous(Schedule):
    """A process whose times are real numbers.

    Args:
        least, most: the times of the least and of the most noise that its networks know.
    """

    least: float
    most: float

    @property
    def ends(self) -> tuple[float, float]:
        return self.least, self.most

    @abstractmethod
    def times(self, noise: Tensor) -> Tensor:
        """The times at which log(σ/α) is ``noise`` (B,): (B,), for training; within the schedule's range."""

    @abstractmethod
    def spread(self, u: Tensor) -> Tensor:
        """Times that are as evenly spread over the schedule as the numbers u (B,) over [0, 1)."""

    def within(self, other: Schedule) -> Self:
        ends = (self.time(other.clearest.log_snr), self.time(other.noisiest.log_snr))
        return replace(self, least=ends[0], most=ends[1])


@dataclass(frozen=True)
class VarianceExploding(Continuous):
    """x_t = x_0 + t ε (Song et al. 2021; Karras et al. 2022): t is σ, by default over EDM's range.

    Progress is counted as EDM's steps are: evenly in σ^(1/7).
    """

    least: float = 0.002
    most: float = 80.0

    def __str__(self) -> str:
        return f"σ from {self.least:g} to {self.most:g}"

    def __post_init__(self) -> None:
        if not 0 < self.least < self.most < math.inf:
            raise SDGError(f"σ from {self.least} to {self.most} is no range: use for example 0.002 to 80")

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        sigma = t.detach().cpu().double()
        return torch.ones_like(sigma), sigma

    def time(self, log_snr: float) -> float:
        return min(max(math.exp(-log_snr), self.least), self.most)

    def times(self, noise: Tensor) -> Tensor:
        return noise.exp().clamp(self.least, self.most)

    def spread(self, u: Tensor) -> Tensor:
        """Evenly in log σ."""
        return self.least * (self.most / self.least) ** u

    def level(self, t: float) -> Level:
        low, here, high = (each ** (1 / 7) for each in (self.least, t, self.most))
        return Level(1.0, t, t, (high - here) / (high - low))


@dataclass(frozen=True)
class Flow(Continuous):
    """x_t = (1 - t) x_0 + t ε (Lipman et al. 2023; Liu et al. 2023: rectified flow).

    The range ends before t = 1, where nothing is left of the picture and ε says nothing of it.
    """

    least: float = 0.001
    most: float = 0.999

    def __str__(self) -> str:
        return f"a flow with t from {self.least:g} to {self.most:g}"

    def __post_init__(self) -> None:
        if not 0 < self.least < self.most < 1:
            raise SDGError(f"a flow from t={self.least} to {self.most} is no range: use above 0 to below 1")

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        sigma = t.detach().cpu().double()
        return 1 - sigma, sigma

    def time(self, log_snr: float) -> float:
        return min(max(1 / (1 + math.exp(log_snr)), self.least), self.most)

    def times(self, noise: Tensor) -> Tensor:
        return noise.sigmoid().clamp(self.least, self.most)

    def spread(self, u: Tensor) -> Tensor:
        return self.least + (self.most - self.least) * u

    def level(self, t: float) -> Level:
        return Level(1 - t, t, t, (self.most - t) / (self.most - self.least))


def look_up(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """Entries t (B,) of a float64 table over timesteps, (B, 1, …, 1) in the dtype of ``like`` (B, …)."""
    # Cast before moving: not every device supports float64.
    return table.to(like.dtype).to(t.device)[t].view(-1, *[1] * (like.ndim - 1))
