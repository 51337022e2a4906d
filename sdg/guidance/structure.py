"""Guidance by where things are in a picture."""

from collections.abc import Mapping

import torch
from torch import Tensor

from sdg.guidance.stages import StageWeights
from sdg.guidance.term import Term
from sdg.guidance.weight import Weight
from sdg.networks.time_encoder import Features


class Structure(Term):
    r"""Position-wise agreement of the feature maps. The target is the noised reference's features.

    .. math:: F_{structure} = - \sum_j \frac{w_j}{C_j H_j W_j} \| E'_I(x_t, t)_j - E'_I(x'_t, t)_j \|^2

    The paper shows such guidance, but its released code leaves it out: the choice of stages and their
    weights is ours.

    Args:
        stages: w_j by name.
        weight, target: see :class:`Term`.
    """

    reads = "reference"

    def __init__(
        self,
        stages: Mapping[str, float],
        weight: float | Weight = 1.0,
        target: str | None = None,
    ):
        super().__init__(weight, target)
        self.stages = StageWeights(stages)

    @property
    def depth(self) -> int:
        return self.stages.depth

    def __call__(self, features: Features, target: Features) -> Tensor:
        pairs = self.stages.pairs(features, target)
        means = [w * (own - wanted).square().mean(dim=(1, 2, 3)) for w, own, wanted in pairs]
        return -torch.stack(means).sum(dim=0)
