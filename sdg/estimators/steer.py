"""Steer: an estimator at work for one group of samples, along one chain."""

from torch import Tensor

from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.pilot import Pilot, Push
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Step
from sdg.estimators.estimator import Estimator, Found, Here
from sdg.guidance.score import Score


class Steer(Pilot):
    """Asks the estimator at every step, or at every ``every``-th, and gives what it found to those between.

    What was found is dropped where F rests, and counting restarts at the next guided step.

    Args:
        draws: the samples' noise for the estimator's own use.
        active: which samples are guided at all, (B, 1, 1, 1) bool; None: all.
        to_the_end: whether the last step is guided, too.
        every_from: progress from which on the estimator is asked less often; before, it is at every step.
    """

    def __init__(
        self,
        estimator: Estimator,
        score: Score,
        draws: NoiseSource,
        every: int = 1,
        active: Tensor | None = None,
        to_the_end: bool = True,
        every_from: float = 0.0,
    ):
        self.estimator, self.score, self.draws, self.every = estimator, score, draws, every
        self._active, self.to_the_end, self.every_from = active, to_the_end, every_from
        self.found: Found | None = None
        self.uses = 0

    @property
    def active(self) -> Tensor | None:
        return self._active

    @property
    def reusing(self) -> bool:
        """Whether the last push was made from what an earlier step found."""
        return self.uses > 1

    def pulls(self, step: Step) -> bool:
        return self.estimator.pulls and not self._rests(step, step.level) and not self._enough(step)

    def turns(self, step: Step) -> int:
        return 1 if self._rests(step, step.level) else self.estimator.turns(step)

    def __call__(self, look: Look, sampler: Sampler, noise: Tensor) -> Push | None:
        here = Here(look, self.score, sampler, noise, self.draws, self.found)
        if self._rests(look.step, self.estimator.level(here)):
            self.found = None
            return None
        if not self._enough(look.step):
            self.found, self.uses = self.estimator.find(here), 0
        assert self.found is not None  # for the type checker
        self.uses += 1
        return self.estimator.push(self.found, here)

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        self.score.keep(rows)
        self.draws = self.draws.keep(rows)
        self._active = None if self._active is None else self._active[rows]
        self.found = None if self.found is None else tuple(found[rows] for found in self.found)

    def _rests(self, step: Step, level: Level) -> bool:
        return self.score.rests(level) or (step.last and not self.to_the_end)

    def _enough(self, step: Step) -> bool:
        every = self.every if step.level.progress >= self.every_from else 1
        return self.found is not None and self.uses < every
