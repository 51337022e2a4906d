"""Look: what the prior says at one state of a chain, and how that changes with the state."""

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.timeline import Step


class Look:
    """One forward of the prior's network at x_t and, only if asked for, a way back through it.

    Args:
        x_t: (B, C, H, W).
        graph: keep what :meth:`pull` needs: the activations of the network, until this object is gone.
    """

    def __init__(self, denoiser: Denoiser, x_t: Tensor, step: Step, graph: bool = False):
        self.denoiser, self.x_t, self.step = denoiser, x_t, step
        with torch.set_grad_enabled(graph):
            self._x = x_t.detach().requires_grad_() if graph else x_t
            self._free = denoiser.free(self._x, step)
            self._bound = denoiser.bound(self._free)
        self.prediction = _detached(self._bound)
        """As the sampler is given it: x̂_0 clamped if the prior clamps."""
        self.free = _detached(self._free)
        """The same before x̂_0 is clamped."""

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
        given = [(out.x0, v) for out, v in ((self._bound, bound), (self._free, free)) if v is not None]
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
