r"""Push and Pilot: what may change a step, and who is asked about it.

There are four ports through which a method of guidance enters a step x_t -> x_s. With Δ a shift of x̂_0, δ one
of x_s, a = √ᾱ_t and σ = √(1-ᾱ_t):

=============  ===========================================  =====================================
port           what changes                                 the fields of :class:`Push`
=============  ===========================================  =====================================
prediction     x̂_0 + Δ at the same x_t: ε̂ - (a/σ) Δ         ``prediction``
transport      x_t + a Δ and x̂_0 + Δ: ε̂ stays               ``x_t``, ``prediction``
state          x_s + δ, after the step                      ``shift``
noise          another z' of the same length                ``noise``
=============  ===========================================  =====================================

The samplers know nothing of this: each port is something that :meth:`Sampler.step` is given, or is added to
what it returns.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from sdg.diffusion.denoiser import Prediction
from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Step

Guide = Callable[[Tensor, Level], Tensor | None]
"""(x, its noise level) -> the gradient of F at x, (B, C, H, W), weights included; None for no guidance."""


class Push(NamedTuple):
    """What guidance changes in one step; None leaves a part as it is. All are (B, C, H, W)."""

    prediction: Prediction | None = None
    """To take the step with."""
    x_t: Tensor | None = None
    """To take the step from."""
    shift: Tensor | None = None
    """Added to x_s."""
    noise: Tensor | None = None
    """To take the step with, as standard normal noise would be."""


class Pilot(ABC):
    """Steers one group of samples along one chain: is asked at every step, and answers with a push."""

    def pulls(self, step: Step) -> bool:
        """Whether :meth:`Look.pull` will be called at ``step``, so that the prior's graph must be kept."""
        return False

    def turns(self, step: Step) -> int:
        """How often ``step`` is taken, each time from a state noised anew: 1 or more."""
        return 1

    @property
    def active(self) -> Tensor | None:
        """Which samples may be pushed at all, (B, 1, 1, 1) bool; None: all. Others take every step once."""
        return None

    @abstractmethod
    def __call__(self, look: Look, sampler: Sampler, noise: Tensor) -> Push | None:
        """The push at ``look``; ``noise`` is what the step would be taken with. None: no push."""


class ByGradient(Pilot):
    """Steers by a function that knows the gradient of F at a noisy state, as the paper does."""

    def __init__(self, guide: Guide):
        self.guide = guide

    def __call__(self, look: Look, sampler: Sampler, noise: Tensor) -> Push | None:
        gradient = self.guide(*sampler.guided_at(look))
        return None if gradient is None else Push(sampler.guide(look.prediction, gradient, look.step))
