"""Look: what the prior says at one state of a chain, and how that changes with the state."""

from functools import cached_property

import torch
from torch import Tensor

from sdg.diffusion.branches import InTurn
from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.timeline import Step


class Look:
    """One forward of the prior's network at x_t and, only if asked for, a way back through it.

    Args:
        x_t: (B, C, H, W).
        graph: keep what :meth:`pull` needs: the activations of the network, until this object is gone.
        branches: how the network runs beside those who do not need its answer yet.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        step: Step,
        graph: bool = False,
        branches: InTurn | None = None,
    ):
        self.denoiser, self.x_t, self.step = denoiser, x_t, step
        self._x = x_t.detach().requires_grad_() if graph else x_t

        def ask() -> tuple[Prediction, Prediction]:
            with torch.set_grad_enabled(graph):
                free = denoiser.free(self._x, step)
                return free, denoiser.bound(free)

        self._answer = (branches or InTurn()).begin(ask)

    @cached_property
    def prediction(self) -> Prediction:
        """As the sampler is given it: x̂_0 clamped if the prior clamps."""
        return _detached(self._answer()[1])

    @cached_property
    def free(self) -> Prediction:
        """The same before x̂_0 is clamped."""
        return _detached(self._answer()[0])

    @property
    def loudness(self) -> Tensor:
        """rms(ε̂) σ/a of each sample, (B,): the rms of the shift of x̂_0 that moves ε̂ by its own length.

        In this unit, a shift's size is its *relative dose*.
        """
        eps = self.prediction.eps(self.x_t, self.step)
        return rms(eps) * (self.step.sigma / self.step.alpha)

    def pull(self, bound: Tensor | None = None, free: Tensor | None = None) -> Tensor:
        """Jᵀv, (B, C, H, W): directions v at x̂_0, taken back to x_t through the network. Once for each look.

        Args:
            bound: a direction at x̂_0 as it is clamped; nothing comes back from where the clamp bites.
            free: one at x̂_0 before the clamp; with both, their sum is pulled.
        """
        asked, clamped = self._answer()
        given = [(out.x0, v) for out, v in ((clamped, bound), (asked, free)) if v is not None]
        outputs, directions = zip(*given, strict=True)
        (back,) = torch.autograd.grad(outputs, self._x, directions)
        return back

    def again(self, x_t: Tensor, graph: bool = False) -> "Look":
        """A look at another state of the same noise level: one more forward."""
        return Look(self.denoiser, x_t, self.step, graph)


def rms(images: Tensor) -> Tensor:
    """Root mean square of each image: (B, C, H, W) -> (B,)."""
    return images.square().mean(dim=(1, 2, 3)).sqrt()


def _detached(prediction: Prediction) -> Prediction:
    fraction = prediction.variance_fraction
    return Prediction(prediction.x0.detach(), None if fraction is None else fraction.detach())
