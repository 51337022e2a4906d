"""Guidance by what a picture shows."""

import torch.nn.functional as F
from torch import Tensor

from sdg.guidance.term import Term
from sdg.networks.time_encoder import Features


class Content(Term):
    r"""F_content = cos(E'_I(x_t, t), E'_I(x'_t, t)): the paper's image content guidance.

    The paper's code calls it "semantic". The target is the features of the reference, noised to the level
    of x_t.
    """

    reads = "reference"

    def __call__(self, features: Features, target: Features) -> Tensor:
        return F.cosine_similarity(features.pooled, target.pooled, dim=-1)
