r"""Dose: how long a push may be, for each sample alone.

Lengths are *relative doses*: the rms of a shift of x̂_0 in units of rms(ε̂) σ/a (:attr:`Look.loudness`). A
shift of relative dose r through the port of the prediction changes ε̂ by r of its own length, and one through
the transport moves x_t by r σ rms(ε̂). Two to five per cent a step is what the published methods have in
common.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from sdg.diffusion.look import Look, rms
from sdg.diffusion.pilot import Push
from sdg.errors import SDGError


def relative(push: Push, look: Look, noise: Tensor) -> Tensor:
    """The relative dose of a push through any port, (B,): what it does to a step of ancestral sampling.

    That is the rms by which x_s moves, in units of c1 rms(ε̂) σ/a; 1 if ε̂ moves by its own length.

    Args:
        noise: what the step would be taken with, (B, C, H, W).
    """
    step, before = look.step, look.prediction
    moved = torch.zeros_like(look.x_t) if push.shift is None else push.shift
    if push.prediction is not None:
        moved = moved + step.c1 * (push.prediction.x0 - before.x0)
    if push.x_t is not None:
        moved = moved + step.c2 * (push.x_t - look.x_t)
    if push.noise is not None and not step.last:
        moved = moved + math.exp(0.5 * step.log_beta_tilde) * (push.noise - noise)
    return rms(moved) / (step.c1 * look.loudness)


class Dose(ABC):
    """A rule for the length of a push; its direction stays."""

    def __call__(self, shift: Tensor, unit: Tensor, gradient: Tensor) -> Tensor:
        """``shift`` with each sample's length changed; what is 0 stays 0.

        Args:
            shift: the raw push, (B, C, H, W).
            unit: the rms of a push of relative dose 1, (B,).
            gradient: what the push was made of, (B, C, H, W).
        """
        raw = rms(shift) / unit
        factor = torch.where(raw > 0, self.length(raw, gradient) / torch.where(raw > 0, raw, 1), 0)
        return factor[:, None, None, None] * shift

    @abstractmethod
    def length(self, raw: Tensor, gradient: Tensor) -> Tensor:
        """The relative dose to give, (B,), where the raw one, (B,), is not 0."""


class Raw(Dose):
    """As it comes: F's own scale and confidence decide."""

    def __call__(self, shift: Tensor, unit: Tensor, gradient: Tensor) -> Tensor:
        return shift

    def length(self, raw: Tensor, gradient: Tensor) -> Tensor:
        return raw


class Relative(Dose):
    """Always the same relative dose, whatever F's scale or confidence: FreeDoM's rule (Yu et al. 2023).

    It goes on pushing where F is satisfied.
    """

    def __init__(self, size: float = 0.02):
        self.size = _positive("size", size)

    def length(self, raw: Tensor, gradient: Tensor) -> Tensor:
        return torch.full_like(raw, self.size)


class Absolute(Dose):
    """Always the same rms in pixel values, of a range of 2: MPGD's rule for faces (He et al. 2023)."""

    def __init__(self, size: float = 0.015):
        self.size = _positive("size", size)

    def __call__(self, shift: Tensor, unit: Tensor, gradient: Tensor) -> Tensor:
        return super().__call__(shift, torch.ones_like(unit), gradient)

    def length(self, raw: Tensor, gradient: Tensor) -> Tensor:
        return torch.full_like(raw, self.size)


class Clamp(Dose):
    """Raw, but not below ``low`` and not above ``high``: a few wild gradients do not throw a sample off."""

    def __init__(self, high: float, low: float = 0.0):
        self.low, self.high = low, _positive("high", high)
        if not 0 <= low <= high:
            raise SDGError(f"a dose from low={low} to high={high} is empty: use 0 <= low <= high")

    def length(self, raw: Tensor, gradient: Tensor) -> Tensor:
        return raw.clamp(self.low, self.high)


class Polyak(Dose):
    """size · ‖ε̂‖/‖g‖² · g: short where F is steep, long where it is flat (Shen et al. 2024, who share no
    code).

    In relative doses that is size/‖g‖, with the Euclidean norm.
    """

    def __init__(self, size: float):
        self.size = _positive("size", size)

    def length(self, raw: Tensor, gradient: Tensor) -> Tensor:
        return self.size / gradient.flatten(1).norm(dim=1)


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise SDGError(f"a dose of {name}={value} leaves no push: use a number above 0")
    return value
