"""Score: F of one group of samples along one chain, as estimators ask for it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.diffusion.level import CLEAN, Level
from sdg.guidance.guidance import Guidance
from sdg.guidance.targets import Aim, Target


class Rise(NamedTuple):
    """F at one x."""

    value: Tensor
    """(B,), scale and weights included, higher is better."""
    gradient: Tensor
    """Its gradient, (B, C, H, W)."""


class Score(ABC):
    """F, one number per sample, higher is better; no sample's depends on another's."""

    def rests(self, level: Level) -> bool:
        """Whether F is 0 at ``level`` whatever x is, so that nothing need be computed."""
        return False

    @abstractmethod
    def rise(self, x: Tensor, level: Level) -> Rise:
        """F and its gradient at x, (B, C, H, W).

        Args:
            x: a state of noise level ``level`` or, for a score of clean pictures, one predicted from it.
        """

    @abstractmethod
    def value(self, x: Tensor, level: Level) -> Tensor:
        """F alone, (B,)."""

    def final(self, images: Tensor) -> Tensor:
        """F of finished images, (B,)."""
        return self.value(images, CLEAN)

    def limit(self, gradient: Tensor) -> Tensor:
        """A gradient as it may be used: not longer than the settings allow, and 0 where it is not finite."""
        return torch.where(gradient.flatten(1).isfinite().all(1)[:, None, None, None], gradient, 0)

    def keep(self, rows: Tensor) -> None:  # noqa: B027  (a score without targets has nothing to reorder)
        """Go on with these samples, (N,) int64, in this order."""


class OfFunction(Score):
    """A score that is a function of one's own.

    Args:
        function: x (B, C, H, W), its noise level -> (B,), differentiable. For clean pictures, that is the
            level of the states they were predicted from.
    """

    def __init__(self, function: Callable[[Tensor, Level], Tensor]):
        self.function = function

    def rise(self, x: Tensor, level: Level) -> Rise:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = self.function(x, level)
            (gradient,) = torch.autograd.grad(value.sum(), x)
        return Rise(value.detach(), gradient)

    @torch.no_grad()
    def value(self, x: Tensor, level: Level) -> Tensor:
        return self.function(x, level)


class Said(NamedTuple):
    """What guidance last found, for records: nothing depends on it."""

    level: Level
    scores: dict[str, Tensor]
    """F_k of every term, unweighted, (B,) each."""
    rms: Tensor
    """Root mean square of the gradient before limiting, (B,); not finite for a sample that is lost."""


class Aimed(Score):
    """Guidance towards the targets of one group.

    Args:
        scale: guidance scale of each sample, (B,).
        clean: whether pictures without noise are read, instead of states. A reference is then clean, too, and
            encoded once.
    """

    def __init__(self, guidance: Guidance, aim: Aim, scale: Tensor, clean: bool = False):
        self.guidance, self.aim, self.scale, self.clean = guidance, aim, scale, clean
        self.said: Said | None = None
        self._at: Level | None = None
        self._targets: Mapping[str, Target] = {}
        self._factors: Mapping[str, Tensor | float] = {}
        self._scores: dict[str, Tensor] = {}

    def rests(self, level: Level) -> bool:
        return self.guidance.rests(level, self.aim.unseen(self.guidance.seen(level)))

    def rise(self, x: Tensor, level: Level) -> Rise:
        self._aim(level)
        found = self.guidance.ascend(x, level, self._targets, self.scale, self._factors, self.clean)
        self._scores = found.scores
        return Rise(found.value, found.gradient)

    def value(self, x: Tensor, level: Level) -> Tensor:
        self._aim(level)
        return self.guidance.value(x, level, self._targets, self.scale, self._factors, self.clean)

    def final(self, images: Tensor) -> Tensor:
        # With the weights of the last step that was guided: at the very end there may be none.
        level = CLEAN if self._at is None else self._at
        targets, factors = self.aim.steering(CLEAN)
        return self.guidance.value(images, level, targets, self.scale, factors, clean=True)

    def limit(self, gradient: Tensor) -> Tensor:
        limited, rms = self.guidance.limit(gradient, self.scale)
        assert self._at is not None  # a gradient comes from a rise
        self.said = Said(self._at, self._scores, rms)
        return limited

    def finished(self, images: Tensor) -> dict[str, Tensor]:
        """F_k of every term, (B,) each, for finished images."""
        return self.guidance.scores(self.guidance.encode(images, CLEAN), self.aim.at(CLEAN))

    def keep(self, rows: Tensor) -> None:
        self.scale, self._at = self.scale[rows], None
        self.aim.keep(rows)

    def _aim(self, level: Level) -> None:
        """Targets are made once for each noise level: references would draw new noise."""
        if self._at is None or (self._at != level and not self.clean):
            seen = self.guidance.seen(CLEAN if self.clean else level)
            self._targets, self._factors = self.aim.steering(seen)
        self._at = level
