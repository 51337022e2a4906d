r"""Guidance: the weighted sum of terms and its gradient.

.. math:: F(x_t, t) = \sum_k w_k F_k(E'_I(x_t, t), y_k), \qquad g = \nabla_{x_t} F

One forward of the encoder serves every term, one backward gives the gradient, and no gradient ever passes
through the diffusion network. The weights are inside the differentiated function, as released.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.guidance.term import Term


class Steering(NamedTuple):
    """What guidance says at one x_t."""

    gradient: Tensor
    """∇F, (B, C, H, W); sample i's is that of its own F."""
    scores: dict[str, Tensor]
    """F_k of every term, unweighted, (B,) each."""


class Guidance(nn.Module):
    """F and its gradient for a batch whose samples may have different targets and scales.

    Args:
        encoder: E'_I, frozen here and always in eval mode: (x_t, t) -> Features.
        terms: by name.
        weights: w_k by the same names; a term without one weighs 1.
        scale: the default strength of the whole; each sample may bring its own.

    Raises:
        SDGError: no terms, a weight without a term, or a scale that is no finite number.
    """

    def __init__(
        self,
        encoder: nn.Module,
        terms: Mapping[str, Term],
        scale: float,
        weights: Mapping[str, float] | None = None,
    ):
        super().__init__()
        weights = dict(weights or {})
        if not terms:
            raise SDGError("guidance without terms steers nowhere: give it one, for example guidance=text")
        if stray := weights.keys() - terms.keys():
            raise SDGError(f"guidance.weights names {sorted(stray)}: its terms are {sorted(terms)}")
        if not isinstance(scale, int | float) or not math.isfinite(scale):
            raise SDGError(f"guidance.scale={scale} is not a number: use for example 100")
        self.encoder = encoder.eval().requires_grad_(False)
        self.terms, self.scale = dict(terms), scale
        self.weights = {name: weights.get(name, 1.0) for name in terms}

    def forward(self, x_t: Tensor, t: Tensor, targets: Mapping[str, Tensor], scale: Tensor) -> Steering:
        """x_t: (B, C, H, W); t: (1,) or (B,) original timesteps; targets by term; scale: (B,)."""
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            features = self.encoder(x, t)
            scores = {name: term(features, targets[name]) for name, term in self.terms.items()}
            total = sum(self.weights[name] * score for name, score in scores.items())
            (gradient,) = torch.autograd.grad((scale * total).sum(), x)
        return Steering(gradient, {name: score.detach() for name, score in scores.items()})

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode, whatever becomes of its parent: batch statistics would mix the samples."""
        return super().train(False)
