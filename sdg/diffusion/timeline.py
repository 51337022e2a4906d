"""Timeline: the steps that a sampler takes, and the shorter chain that they form.

The kept times form a chain of their own: variances are those of its steps, recomputed from the kept levels
(Nichol & Dhariwal, 2021), while networks are always given the *original* time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from sdg.diffusion.level import CLEAN, Level
from sdg.diffusion.schedule import Schedule
from sdg.diffusion.spacing import Spacing, usual
from sdg.errors import SDGError


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
    def t(self) -> float:
        """The original time of x_t."""
        return self.level.t

    @property
    def alpha(self) -> float:
        """α of x_t."""
        return self.level.alpha

    @property
    def sigma(self) -> float:
        """σ of x_t."""
        return self.level.sigma

    @property
    def alpha_s(self) -> float:
        """α of x_s, 1 after the last step."""
        return self.level_s.alpha

    @property
    def sigma_s(self) -> float:
        """σ of x_s, 0 after the last step."""
        return self.level_s.sigma

    @property
    def h(self) -> float:
        """λ_s - λ_t, the length of the step; infinite for the last one."""
        return self.level_s.log_snr - self.level.log_snr

    @property
    def alpha_bar(self) -> float:
        """ᾱ of x_t."""
        return self.level.alpha_bar

    @property
    def alpha_bar_s(self) -> float:
        """ᾱ of x_s."""
        return self.level_s.alpha_bar

    @property
    def beta(self) -> float:
        """Var[x_t | x_s] = σ² (1 - e^(-2h)); of a process that preserves the variance, its β_t."""
        return -(self.sigma**2) * math.expm1(-2 * self.h)

    @property
    def beta_tilde(self) -> float:
        """Var[x_s | x_t, x_0] = σ_s² (1 - e^(-2h)), the posterior variance: the least a step may have."""
        return -(self.sigma_s**2) * math.expm1(-2 * self.h)

    @property
    def c1(self) -> float:
        """The weight of x̂_0 in the mean of the ancestral step."""
        return -self.alpha_s * math.expm1(-2 * self.h)

    @property
    def c2(self) -> float:
        """The weight of x_t in the mean of the ancestral step."""
        return self.sigma_s / self.sigma * math.exp(-self.h)

    @property
    def log_beta(self) -> float:
        """Log of β, the largest variance a step may have."""
        return math.log(self.beta)

    @property
    def last(self) -> bool:
        """Whether x_s is the finished image: then no noise is added."""
        return self.index == 0


class Timeline:
    """The steps a sampler visits, iterated from the noisiest to the last.

    Args:
        schedule: of the original chain.
        steps: a number of steps, or what else the spacing understands.
        strength: how much of the chain is run, from 1 (all of it) down to its last step alone; for beginning
            from a noised image instead of from noise (SDEdit, Meng et al. 2022).
        spacing: where the chain stops; None: as is usual for the schedule, for timesteps as in ADM.
        scaled: whether states have the scale that the schedule gives them. By default they are divided by
            √(α² + σ²), so that whatever is done to a state means the same for every schedule; a process that
            preserves the variance is at that scale anyway.

    Raises:
        SDGError: the schedule has fewer steps, the spacing has no such steps, or ``strength`` is out of
            range.
    """

    def __init__(
        self,
        schedule: Schedule,
        steps: int | str,
        strength: float = 1.0,
        spacing: Spacing | None = None,
        scaled: bool = False,
    ):
        if not 0 < strength <= 1:
            raise SDGError(f"start.strength={strength} is out of range: use above 0 (keep all) to 1 (forget)")
        self.schedule = schedule
        self.timesteps = (spacing or usual(schedule))(schedule, steps)
        kept = [schedule.level(t) for t in self.timesteps]
        levels = [CLEAN._replace(t=schedule.ends[0]), *(kept if scaled else [level.unit for level in kept])]
        whole = [Step(i, t, s, 0.0) for i, (s, t) in enumerate(pairwise(levels))]
        tildes = [step.beta_tilde for step in whole]
        tildes[0] = tildes[1] if len(whole) > 1 else whole[0].beta
        walked = whole[: max(1, round(strength * len(whole)))]
        self.steps = tuple(replace(step, log_beta_tilde=math.log(tildes[step.index])) for step in walked)

    @property
    def start(self) -> Level:
        """The noise level at which the run begins."""
        return self.steps[-1].level

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return reversed(self.steps)
