"""In which precision losses are computed."""

import torch
from torch import Tensor


def full(x: Tensor) -> Tensor:
    """``x`` itself, or in float32 if its dtype is a half precision, whose few digits would blur a loss."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def similarities(a: Tensor, b: Tensor, scale: float | Tensor) -> Tensor:
    """``scale`` times the inner products of rows a (N, D) and b (M, D): (N, M), at least float32.

    Also under autocast, which would round them to three digits: of a logit near 100, the nearest half.
    """
    with torch.autocast(a.device.type, enabled=False):
        a = full(a)
        return scale * (a @ b.to(a).T)
