r"""MPGD, manifold-preserving guided diffusion (He et al., arXiv 2311.16424): no gradient through the prior.

.. math:: \hat x_0 \leftarrow \hat x_0 + \rho\, g_0, \qquad g_0 = \nabla F(\hat x_0)

through the port of the transport or, in the official script for CLIP, of the prediction. With an autoencoder,
guidance stays near the pictures that it knows: F is taken of dec(enc(x̂_0)) (``space=decoded``), or its
gradient of the code c = enc(x̂_0) moves x̂_0 by dec(c + ρ g_c) - dec(c) (``space=code``).

Official code (KellyYutongHe/mpgd_pytorch): ρ makes every step equally long, k/√ᾱ_s with the rms taken over
the batch and without a floor; with CLIP, k is far larger outside the window of repeated steps than inside; in
the style script, ρ is multiplied into itself at every repetition.

Cost: one forward of the prior and one pass of the guide; with an autoencoder, its passes. Any sampler.
"""

from typing import Literal, Protocol

import torch
from torch import Tensor

from sdg.diffusion.look import rms
from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.errors import SDGError
from sdg.estimators.dose import Dose
from sdg.estimators.estimator import Estimator, Found, Here
from sdg.estimators.ports import chosen, predicted, transported


class Autoencoder(Protocol):
    """Pictures to codes and back, both differentiable; no sample's depends on another's."""

    def encode(self, x0: Tensor) -> Tensor:
        """(B, C, H, W) -> codes (B, c, h, w)."""

    def decode(self, code: Tensor) -> Tensor:
        """Codes -> (B, C, H, W)."""


class MPGD(Estimator):
    """Moves x̂_0 along the gradient of F at x̂_0.

    Args:
        strength: ρ of the raw gradient.
        dose: how long the shift may be; None: as it comes.
        port: where it enters.
        of: what strength and dose are meant of: ``x0``, the shift of x̂_0, or ``x_s``, what becomes of it in
            the transport, so that x̂_0 moves by 1/√ᾱ_s of it. The dose's unit is then that of DPS.
        clamped: whether F is taken of x̂_0 clamped to [-1, 1], and the shift begun from there.
        autoencoder: for the other spaces.
        space: ``picture``, ``decoded`` or ``code``.

    Raises:
        SDGError: an unknown port or space, or a space without an autoencoder.
    """

    reads = "clean"

    def __init__(
        self,
        strength: float = 1.0,
        dose: Dose | None = None,
        port: Literal["transport", "prediction"] = "transport",
        of: Literal["x0", "x_s"] = "x0",
        clamped: bool = True,
        autoencoder: Autoencoder | None = None,
        space: Literal["picture", "decoded", "code"] = "picture",
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        if space not in ("picture", "decoded", "code"):
            raise SDGError(f"estimator.space={space} is unknown: use picture, decoded or code")
        if space != "picture" and autoencoder is None:
            raise SDGError(f"estimator.space={space} needs an autoencoder: give estimator.autoencoder")
        if of not in ("x0", "x_s"):
            raise SDGError(f"estimator.of={of} is unknown: use x0 or x_s")
        self.strength, self.dose, self.port, self.of = strength, dose, chosen(port), of
        self.clamped, self.autoencoder, self.space = clamped, autoencoder, space

    def find(self, here: Here) -> Found:
        x0, level, model = self._start(here), here.look.step.level, self.autoencoder
        if model is None or self.space == "picture":
            return (here.score.limit(here.score.rise(x0, level).gradient),)
        with torch.enable_grad():
            begin = (x0 if self.space == "decoded" else model.encode(x0)).detach().requires_grad_()
            seen = model.decode(model.encode(begin) if self.space == "decoded" else begin)
            (gradient,) = torch.autograd.grad(seen, begin, here.score.rise(seen, level).gradient)
        return (here.score.limit(gradient),)

    def push(self, found: Found, here: Here) -> Push:
        (gradient,), look, model = found, here.look, self.autoencoder
        shift = self.strength * gradient
        if self.dose is not None:
            unit = look.loudness * (look.step.c1 if self.of == "x_s" else 1)
            shift = self.dose(shift, unit, gradient)
        if self.of == "x_s":
            shift = shift / look.step.alpha_s
        start = self._start(here)
        if model is not None and self.space == "code":
            code = model.encode(start)
            shift = model.decode(code + shift) - model.decode(code)
        if self.clamped:
            shift = shift + (start - look.prediction.x0)  # of a prior that does not clamp by itself
        shift = torch.where((rms(gradient) > 0)[:, None, None, None], shift, 0)
        return (predicted if self.port == "prediction" else transported)(look, shift)

    def _start(self, here: Here) -> Tensor:
        return here.look.free.x0.clamp(-1, 1) if self.clamped else here.look.free.x0
