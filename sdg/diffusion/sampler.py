r"""Sampler: one step of the reverse process, and how a guidance gradient enters it.

Samplers are written in α, σ and λ = log(α/σ) of the two levels of a step, and so draw from every schedule.

A gradient g = ∇_{x_t} F changes only the predicted clean image, x̂_0 -> x̂_0' (:meth:`Sampler.guide`); the step
itself is the unguided one. Both forms of guidance fit this interface:

* **mean shift** (the paper; ADM's classifier guidance): μ + Σ g is exactly the step's mean for
  x̂_0' = x̂_0 + (Σ/c1) g, where c1 is the weight of x̂_0 in μ;
* **score correction** (ADM, algorithm 2): ε' = ε - σ_t g, that is, x̂_0' = x̂_0 + (σ_t²/α_t) g.

x̂_0 is clamped before guidance and never after it: early in the chain x̂_0' rightly lies far outside [-1, 1].
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Prediction
from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.timeline import Correct, Step


class Taken(NamedTuple):
    """A step already taken: what a multistep rule looks back at."""

    step: Step
    prediction: Prediction
    """The (guided) prediction it used."""
    x_t: Tensor
    """The state it was taken from, (B, C, H, W)."""


class Sampler(ABC):
    """A rule x_t -> x_s. Stateless: a multistep rule is given what it needs from the step before."""

    @abstractmethod
    def guide(self, prediction: Prediction, gradient: Tensor, step: Step) -> Prediction:
        """The prediction under guidance; ``gradient`` is ∇F, (B, C, H, W), weights included."""

    @property
    def stochastic(self) -> bool:
        """Whether steps add noise; if not, none is drawn for them."""
        return True

    @property
    def parts(self) -> bool:
        """Whether every step but the last adds noise, so that copies of a state part."""
        return self.stochastic

    @property
    def correct(self) -> Correct | None:
        """How a timeline's steps are corrected (:class:`Timeline`); None: they are not."""
        return None

    def guided_at(self, look: Look) -> tuple[Tensor, Level]:
        """Where guidance is evaluated: a state (B, C, H, W) and its noise level; x_t by default.

        One that does not depend on ``look.prediction`` need not wait for it.
        """
        return look.x_t, look.step.level

    @abstractmethod
    def step(
        self,
        x_t: Tensor,
        prediction: Prediction,
        step: Step,
        noise: Tensor,
        previous: Taken | None = None,
    ) -> Tensor:
        """x_s, (B, C, H, W).

        ``prediction`` is the (guided) prediction at x_t, ``previous`` the step before, None at the start;
        ``noise`` is standard normal of x_t's shape, or a single 0 where none is added: at the last step, and
        everywhere if the rule is not ``stochastic``.
        """


def spread(sampler: Sampler, prediction: Prediction, step: Step) -> Tensor:
    """The standard deviation of the noise that a step adds, (B, C, H, W); 0 at the last step.

    Every rule here is affine in the noise, so a step from nothing with unit noise is the deviation itself.
    """
    nothing = torch.zeros_like(prediction.x0)
    return sampler.step(nothing, prediction._replace(x0=nothing), step, torch.ones_like(nothing))


def correct_score(prediction: Prediction, gradient: Tensor, step: Step) -> Prediction:
    """Score correction: x̂_0' = x̂_0 + (σ_t²/α_t) g (ADM, algorithm 2)."""
    return prediction._replace(x0=prediction.x0 + step.sigma**2 / step.alpha * gradient)
