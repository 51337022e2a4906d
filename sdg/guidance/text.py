"""Guidance by words."""

import torch.nn.functional as F
from torch import Tensor

from sdg.guidance.held import Held
from sdg.guidance.term import Term
from sdg.networks.time_encoder import Features


class Text(Term):
    r"""F_text = cos(E'_I(x_t, t), E_L(y)): the paper's language guidance, without a temperature.

    The target (B, D) is a prompt's unit-length embedding from the original, frozen text encoder; for a
    weighted prompt it is Σ_k w_k E_L(y_k), which makes the score Σ_k w_k cos(E'_I(x_t, t), E_L(y_k)). Words
    that are held against their opposites know their score themselves.
    """

    reads, holds = "prompt", True

    def __call__(self, features: Features, target: Tensor | Held) -> Tensor:
        unit = F.normalize(features.pooled, dim=-1)
        return target.score(unit) if isinstance(target, Held) else (unit * target).sum(dim=-1)
