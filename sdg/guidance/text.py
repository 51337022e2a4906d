"""Guidance by words."""

import torch.nn.functional as F
from torch import Tensor

from sdg.guidance.term import Term
from sdg.networks.time_clip import Features


class Text(Term):
    r"""F_text = cos(E'_I(x_t, t), E_L(y)): the paper's language guidance, without a temperature.

    The target is the text's embedding (B, D), from the original, frozen text encoder.
    """

    def __call__(self, features: Features, target: Tensor) -> Tensor:
        return F.cosine_similarity(features.pooled, target, dim=-1)
