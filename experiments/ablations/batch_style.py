"""Style guidance as it was released: one Gram matrix for a whole batch."""

from torch import Tensor

from sdg.guidance.style import Style
from sdg.networks.time_encoder import Features


class BatchStyle(Style):
    r"""The released F_style of B samples, whose maps are stacked as if they were channels of one sample.

    .. math:: G = \frac{1}{BCHW} A A^\top, \quad A \in \mathbb{R}^{BC \times HW}

    Samples mix in its off-diagonal blocks, and its diagonal blocks give 1/B⁴ of the gradient that a sample
    would have alone. The batch has one number F, which is split evenly, so that the sum over samples is F.
    """

    def __call__(self, features: Features, target: Features) -> Tensor:
        count = len(features.pooled)
        return super().__call__(_stacked(features), _stacked(target)).expand(count) / count


def _stacked(features: Features) -> Features:
    """Features of B samples as those of one with B times the channels."""
    return features._replace(stages=tuple(stage.flatten(0, 1)[None] for stage in features.stages))
