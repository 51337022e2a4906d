r"""Estimator: one way to guide an unconditional prior towards a high F.

An estimator first finds the directions in which F rises (:meth:`Estimator.find`), which costs passes of the
guide's encoder and perhaps of the prior, and then turns them into a push (:meth:`Estimator.push`), which is
arithmetic. With ``guidance.every``, what was found is used for several pushes.

Symbols, here and in all files beside: a = √ᾱ_t, σ = √(1-ᾱ_t); D(x_t) = x̂_0; g_E = ∇_{x_t} F(E'(x_t, t));
g_0 = ∇F at x̂_0; g_x = ∇_{x_t} F(D(x_t)) = Jᵀ g_0, through the prior.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor

from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError
from sdg.guidance.score import Rise, Score

Smoothing = Callable[[Tensor, Level], Rise]
"""As :meth:`Score.rise`."""

Found = tuple[Tensor, ...]
"""Directions, (B, C, H, W) each; what they are is an estimator's own affair."""


class Here(NamedTuple):
    """Where a chain is, and what there is to ask."""

    look: Look
    """What the prior says at x_t."""
    score: Score
    """F."""
    sampler: Sampler
    """What takes the step."""
    noise: Tensor
    """What the step would be taken with, (B, C, H, W)."""
    draws: NoiseSource
    """Random numbers of each sample, for the estimator's own use."""
    before: Found | None = None
    """What was found at the step before, or in the turn before; None at the first guided step."""


class Estimator(ABC):
    """Keeps nothing from step to step, and never mixes the samples of a batch.

    Args:
        recurrence: steps to be taken several times; None: each once.
    """

    reads: ClassVar[Literal["noisy", "clean"]]
    """What F is taken of: states, by an encoder that has learned to read noise, or predicted pictures."""
    pulls: bool = False
    """Whether gradients go back through the prior, whose activations must then be kept."""
    apart: ClassVar[bool] = False
    """Whether it finds its directions at x_t without an answer of the prior: both may work at once."""
    turns_noise: ClassVar[bool] = False
    """Whether it changes the noise of a step, and so needs a sampler that adds some."""

    def __init__(self, recurrence: Recurrence | None = None):
        self.recurrence = recurrence or Recurrence()

    def fit(self, sampler: Sampler, timeline: Timeline) -> None:
        """Get to know the chain before it is walked.

        Raises:
            SDGError: it does not suit this estimator.
        """
        self.recurrence.check(timeline)
        if self.turns_noise and not sampler.parts:
            raise SDGError(
                f"{type(self).__name__} turns the noise that a step adds, and this sampler adds none, or not "
                "at every step: "
                "choose sampler=ddpm or balanced, or set sampler.rule.eta=1"
            )

    def turns(self, step: Step) -> int:
        """How often ``step`` is taken."""
        return self.recurrence(step)

    def level(self, here: Here) -> Level:
        """The noise level at which F is asked for."""
        return here.look.step.level

    @abstractmethod
    def find(self, here: Here) -> Found:
        """The directions in which F rises."""

    @abstractmethod
    def push(self, found: Found, here: Here) -> Push:
        """What was found, here or a few steps before, as a push; of zeros, one that changes nothing."""


def pulled(here: Here, clamped: bool, smooth: Smoothing | None = None) -> Rise:
    """F at x̂_0 and g_x = Jᵀ ∇F(x̂_0), limited: one pass of the guide and one pull of the prior.

    Args:
        clamped: whether F is taken of x̂_0 as the prior clamps it, or of x̂_0 before that.
        smooth: takes F in the neighbourhood instead.
    """
    look = here.look
    x0 = (look.prediction if clamped else look.free).x0
    value, uphill = (smooth or here.score.rise)(x0, look.step.level)
    return Rise(value, here.score.limit(look.pull(bound=uphill) if clamped else look.pull(free=uphill)))
