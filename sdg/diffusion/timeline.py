"""Respacing: which of the original timesteps a sampler visits, and the shorter chain they form.

The kept steps form a diffusion chain of their own: its β_i = 1 - ᾱ_i/ᾱ_{i-1} and posterior variances are
recomputed from the kept ᾱ (Nichol & Dhariwal, 2021), while networks are always given the *original* timestep.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise, repeat
from typing import NamedTuple

from torch import Tensor

from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError


class Level(NamedTuple):
    """How noisy a state of the chain is, in plain Python floats: float64 on every device."""

    t: int
    """The original timestep, as given to networks; for a finished image, that of the least noise, 0."""
    alpha_bar: float
    """ᾱ_t; 1 for a finished image."""
    progress: float
    """How far the chain has come: 0 at the noisiest timestep of the schedule, 1 at timestep 0."""

    @property
    def sigma(self) -> float:
        """√(1 - ᾱ_t), the standard deviation of the noise in x_t."""
        return (1 - self.alpha_bar) ** 0.5

    def diffuse(self, x0: Tensor, noise: Tensor) -> Tensor:
        """x0 noised to this level, q(x_t | x_0); both (B, C, H, W)."""
        return self.alpha_bar**0.5 * x0 + self.sigma * noise


@dataclass(frozen=True)
class Step:
    """One transition x_t -> x_s of the respaced chain.

    ``index`` counts kept steps from 0 (the last one taken), ``level`` is the noise level of x_t, ``level_s``
    that of x_s.
    """

    index: int
    level: Level
    level_s: Level
    log_beta_tilde: float
    """Log of the posterior variance; at index 0, where that is zero, the value of index 1 (as in ADM)."""

    @property
    def t(self) -> int:
        """The original timestep of x_t."""
        return self.level.t

    @property
    def alpha_bar(self) -> float:
        """ᾱ_t."""
        return self.level.alpha_bar

    @property
    def alpha_bar_s(self) -> float:
        """ᾱ of the state after the step, 1 after the last one."""
        return self.level_s.alpha_bar

    @property
    def beta(self) -> float:
        """β_t of the respaced chain."""
        return 1 - self.alpha_bar / self.alpha_bar_s

    @property
    def c1(self) -> float:
        """The weight of x̂_0 in the mean of the ancestral step; that of x_t is (1-ᾱ_s) √α / (1-ᾱ_t)."""
        return self.beta * self.alpha_bar_s**0.5 / (1 - self.alpha_bar)

    @property
    def log_beta(self) -> float:
        """Log of β_t, the largest variance a step may have."""
        return math.log(self.beta)

    @property
    def sigma(self) -> float:
        """√(1 - ᾱ_t)."""
        return self.level.sigma

    @property
    def last(self) -> bool:
        """Whether x_s is the finished image: then no noise is added."""
        return self.index == 0


class Timeline:
    """The steps a sampler visits, iterated from the noisiest to the last.

    Args:
        schedule: ᾱ of the original chain.
        steps: ADM's respacing: an integer (or its string) n keeps n timesteps spread evenly over the whole
            chain, both ends included (for n = 1, the noisiest); ``"10,10,20"`` does so in as many equal
            sections of the chain, from timestep 0 on; ``"ddimN"`` keeps N timesteps at a constant integer
            stride from 0, as DDIM's authors do.
        strength: how much of the chain is run, from 1 (all of it) down to its last step alone; for beginning
            from a noised image instead of from noise (SDEdit, Meng et al. 2022).

    Raises:
        SDGError: the chain or a section has fewer steps, no stride gives exactly N, or ``strength`` is out of
            range.
    """

    def __init__(self, schedule: NoiseSchedule, steps: int | str, strength: float = 1.0):
        if not 0 < strength <= 1:
            raise SDGError(f"start.strength={strength} is out of range: use above 0 (keep all) to 1 (forget)")
        self.schedule = schedule
        self.timesteps = respace(len(schedule), steps)
        end = max(len(schedule) - 1, 1)
        alpha_bars = [1.0, *schedule.alpha_bar[list(self.timesteps)].tolist()]
        beta_tilde = [(1 - now / before) * (1 - before) / (1 - now) for before, now in pairwise(alpha_bars)]
        beta_tilde[0] = beta_tilde[1] if len(beta_tilde) > 1 else 1 - alpha_bars[1]
        levels = [Level(t, a, 1 - t / end) for t, a in zip((0, *self.timesteps), alpha_bars, strict=True)]
        walked = max(1, round(strength * len(self.timesteps)))
        self.steps = tuple(Step(i, levels[i + 1], levels[i], math.log(beta_tilde[i])) for i in range(walked))

    @property
    def start(self) -> Level:
        """The noise level at which the run begins."""
        return self.steps[-1].level

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return reversed(self.steps)


def respace(total: int, steps: int | str) -> tuple[int, ...]:
    """The kept timesteps in ascending order: ``respace(1000, 100)`` is 0, 10, 20, 30, 40, 50, 61, …, 999."""
    text = str(steps).replace(" ", "")
    parts = text.removeprefix("ddim").split(",")
    ddim = text.startswith("ddim")
    if not all(part.isdecimal() and int(part) for part in parts) or (ddim and len(parts) > 1):
        raise SDGError(
            f"sampler.steps={steps} is not a number of steps: use for example 50, ddim25 or 10,20,30"
        )
    counts = [int(part) for part in parts]
    n = sum(counts)
    if n > total:
        raise SDGError(f"sampler.steps={steps} is more than the schedule's {total}: use {total} or fewer")
    if ddim:
        strides = (stride for stride in range(1, total) if len(range(0, total, stride)) == n)
        stride = next(strides, None)
        if stride is None:
            raise SDGError(
                f"no stride visits exactly {n} of {total} timesteps: use sampler.steps={n} instead"
            )
        return tuple(range(0, total, stride))
    if counts == [1]:  # ADM would keep 0, from which nothing can be drawn
        return (total - 1,)
    # As equal as they can be, the first ones longer by one.
    sizes = [total // len(counts) + (i < total % len(counts)) for i in range(len(counts))]
    starts = accumulate(sizes[:-1], initial=0)
    return tuple(
        start + position
        for start, size, count in zip(starts, sizes, counts, strict=True)
        for position in _spread(size, count, steps)
    )


def _spread(size: int, count: int, steps: int | str) -> list[int]:
    """``count`` of ``size`` timesteps, spread evenly, both ends included; for one, the first."""
    if count > size:
        raise SDGError(
            f"sampler.steps={steps} wants {count} steps of a section of {size}: ask for fewer there"
        )
    # Accumulated, not multiplied, as in ADM: where a position falls midway, rounding errors decide.
    stride = (size - 1) / (count - 1) if count > 1 else 1
    return [round(position) for position in accumulate(repeat(stride, count - 1), initial=0.0)]
