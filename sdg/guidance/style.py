"""Guidance by how a picture is painted."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.guidance.stages import STAGES, StageWeights
from sdg.guidance.term import Term
from sdg.guidance.weight import Weight
from sdg.networks.time_encoder import Features

SCALE = 1e10
"""The factor of the released code."""


class Style(Term):
    r"""Agreement of the Gram matrices of the feature maps. The target is the noised reference's features.

    .. math:: F_{style} = - \frac{10^{10}}{5} \sum_{j=1}^{5} w_j
                          \frac{1}{C_j^2} \| G_j(x_t) - G_j(x'_t) \|_F^2, \qquad
              G = \frac{1}{CHW} A A^\top, \quad A \in \mathbb{R}^{C \times HW}

    The released code stacks the samples of a batch into one matrix A, so that samples mix and the meaning of
    a weight depends on the batch size; here every sample has its own Gram matrices. The two agree for a
    batch of one.

    Where a map has fewer positions than channels, ‖AAᵀ - BBᵀ‖² is computed from products of size (HW)²:
    ‖AᵀA‖² + ‖BᵀB‖² - 2 ‖AᵀB‖².

    Args:
        stages: w_j by name; all 1 by default.
        gram: ``"sample"``, or ``"released"`` for the stacked matrix of the released code. The latter accepts
            only batches of one (``group=1``), for which its numbers are reproducible.
        weight, target: see :class:`Term`.

    Raises:
        SDGError: an unknown stage or ``gram``; when called, ``gram="released"`` with more than one sample.
    """

    reads = "reference"

    def __init__(
        self,
        stages: Mapping[str, float] | None = None,
        gram: Literal["sample", "released"] = "sample",
        weight: float | Weight = 1.0,
        target: str | None = None,
    ):
        super().__init__(weight, target)
        if gram not in ("sample", "released"):
            raise SDGError(f"gram={gram} is unknown: use sample, or released with group=1")
        self.stages = StageWeights(stages or dict.fromkeys(STAGES, 1.0))
        self.distance = gram_distance if gram == "sample" else released_gram_distance

    @property
    def depth(self) -> int:
        return self.stages.depth

    def __call__(self, features: Features, target: Features) -> Tensor:
        pairs = self.stages.pairs(features, target)
        distances = torch.stack([w * self.distance(own, wanted) for w, own, wanted in pairs])
        return -SCALE / len(STAGES) * distances.sum(dim=0)


def gram_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of the entries of two Gram matrices, sample by sample.

    a is (B, C, H, W), b the same or (1, C, H, W); (B,) is returned.
    """
    channels, places = a.shape[1], a.shape[2] * a.shape[3]
    a, b = a.flatten(2), b.flatten(2)
    if channels <= places:
        squared = (a @ a.mT - b @ b.mT).square().sum(dim=(1, 2))
    else:
        squared = _squared(a.mT @ a) + _squared(b.mT @ b) - 2 * _squared(a.mT @ b)
    # First the factor 1/CHW of each Gram matrix, squared; then the mean over its C x C entries.
    return squared / (channels * places) ** 2 / channels**2


def released_gram_distance(a: Tensor, b: Tensor) -> Tensor:
    """The same for the (BC, BC) matrix that the released code makes of a batch; for a batch of one."""
    if len(a) != 1:
        raise SDGError("gram=released mixes the samples of a batch: give group=1, or use gram=sample")

    def gram(x: Tensor) -> Tensor:
        rows = x.flatten(0, 1).flatten(1)
        return rows @ rows.mT / rows.numel()

    return torch.mean((gram(a) - gram(b)).square()).view(1)


def _squared(matrices: Tensor) -> Tensor:
    return matrices.square().sum(dim=(1, 2))
