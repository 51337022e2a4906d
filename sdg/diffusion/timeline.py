"""Timeline: the steps that a sampler takes, and the shorter chain that they form.

The kept times form a chain of their own: variances are those of its steps, recomputed from the kept levels
(Nichol & Dhariwal, 2021), while networks are always given the *original* time.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sdg.diffusion.level import CLEAN, Level
from sdg.diffusion.schedule import Schedule
from sdg.diffusion.spacing import Spacing, usual
from sdg.errors import SDGError

Correct = Callable[[Level, int], float]
"""(a level reached, the number of steps) -> how much larger σ/α is where the next step begins, 1 or more."""


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
    corrects: bool = False
    """Whether it corrects the step before it, at the level that this one reached."""

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
        """The weight of x̂_0 in the mean of the ancestral step; 0 for a step that corrects."""
        return 0.0 if self.corrects else -self.alpha_s * math.expm1(-2 * self.h)

    @property
    def c2(self) -> float:
        """The weight of x_t in the mean of the ancestral step."""
        return self.sigma_s / self.sigma * math.exp(-self.h)

    @property
    def log_beta(self) -> float:
        """Log of β at the scale of x_s, the largest variance a step may have."""
        return math.log(self.beta * (self.level_s.scale / self.level.scale) ** 2)

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
        correct: for a rule that looks twice (:attr:`Sampler.correct`): every step but the last is followed by
            one that corrects it and then leads to where the next begins, which may be noisier.

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
        correct: Correct | None = None,
    ):
        if not 0 < strength <= 1:
            raise SDGError(f"start.strength={strength} is out of range: use above 0 (keep all) to 1 (forget)")
        self.schedule, self.corrected = schedule, correct is not None
        self.timesteps = (spacing or usual(schedule))(schedule, steps)
        n = len(self.timesteps)

        def level(t: float) -> Level:
            return schedule.level(t) if scaled else schedule.level(t).unit

        reached = [CLEAN._replace(t=schedule.ends[0]), *map(level, self.timesteps)]
        begun, taken = reached, list[Step]()
        if correct is not None:
            louder = [at.log_snr - math.log(correct(at, n)) for at in reached[1:-1]]
            begun = [reached[0], *(level(schedule.time(log_snr)) for log_snr in louder), reached[-1]]
        tildes = [Step(i, t, s, 0.0).beta_tilde for i, (s, t) in enumerate(pairwise(reached))]
        tildes[0] = tildes[1] if n > 1 else reached[1].sigma ** 2
        for i in range(max(1, round(strength * n))):
            if i and correct is not None:
                taken.append(Step(len(taken), reached[i], begun[i], -math.inf, corrects=True))
            taken.append(Step(len(taken), begun[i + 1], reached[i], math.log(tildes[i])))
        self.steps = tuple(taken)

    @property
    def start(self) -> Level:
        """The noise level at which the run begins."""
        return self.steps[-1].level

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return reversed(self.steps)
