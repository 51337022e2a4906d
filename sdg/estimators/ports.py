"""The four ports of :mod:`sdg.diffusion.pilot`, from a shift of x̂_0 or of x_s to a push."""

import torch
from torch import Tensor

from sdg.diffusion.look import Look
from sdg.diffusion.pilot import Push
from sdg.diffusion.sampler import spread
from sdg.errors import SDGError
from sdg.estimators.estimator import Here


def predicted(look: Look, shift: Tensor) -> Push:
    """x̂_0 moves by ``shift``, and so does what x_t is taken to hold of noise."""
    return Push(look.prediction._replace(x0=look.prediction.x0 + shift))


def transported(look: Look, shift: Tensor) -> Push:
    """x̂_0 and x_t move together: the noise in x_t stays."""
    return Push(
        look.prediction._replace(x0=look.prediction.x0 + shift),
        x_t=look.x_t + look.step.alpha * shift,
    )


def turned(here: Here, direction: Tensor, share: float) -> Push:
    """The step's noise, turned towards ``direction`` on the sphere that it lies on.

    With d the noise as it is added and d* the longest step of the same length along ``direction``, that is
    d + share (d* - d), made as long as the deviation of the noise: √(CHW) times it, if it is one number. A
    sample whose direction is 0 keeps its own noise.
    """
    if here.look.step.last:
        return Push()
    deviation = spread(here.sampler, here.look.prediction, here.look.step)
    radius, length = _norm(deviation), _norm(direction)
    wanted = direction * (radius / torch.where(length > 0, length, 1))
    mixed = deviation * here.noise
    mixed = mixed + share * (wanted - mixed)
    return Push(noise=torch.where(length > 0, mixed * (radius / _norm(mixed)) / deviation, here.noise))


def chosen(port: str) -> str:
    """``port``, if it is one of the two that take a shift of x̂_0; otherwise raises SDGError."""
    if port not in ("prediction", "transport"):
        raise SDGError(f"estimator.port={port} is unknown: use prediction or transport")
    return port


def _norm(images: Tensor) -> Tensor:
    """Of each sample, (B, 1, 1, 1)."""
    return images.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
