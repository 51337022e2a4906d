"""Guidance by words."""

import torch.nn.functional as F
from torch import Tensor

from sdg.guidance.term import Term
from sdg.networks.time_encoder import Features


class Text(Term):
    r"""F_text = cos(E'_I(x_t, t), E_L(y)): the paper's language guidance, without a temperature.

    The target (B, D) is a prompt's unit-length embedding from the original, frozen text encoder; for a
    weighted prompt it is Σ_k w_k E_L(y_k), which makes the score Σ_k w_k cos(E'_I(x_t, t), E_L(y_k)).
    """

    reads = "prompt"

    def __call__(self, features: Features, target: Tensor) -> Tensor:
        return (F.normalize(features.pooled, dim=-1) * target).sum(dim=-1)
