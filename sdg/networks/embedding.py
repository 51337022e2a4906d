"""Sinusoidal embedding of the timestep, shared by the UNet and the time-dependent encoder."""

import math

import torch
from torch import Tensor

from sdg.errors import SDGError


def timestep_embedding(t: Tensor, dim: int) -> Tensor:
    r"""Embed timesteps as :math:`[\cos(t \omega_j) \mid \sin(t \omega_j)]`, :math:`\omega_j = 10000^{-j/h}`.

    Here :math:`j = 0, \dots, h-1` and :math:`h` = ``dim / 2``: cosines first, as in ADM.

    Args:
        t: Timesteps on the scale of the original chain, 0..999, any numeric dtype, with shape (B,).
        dim: Number of values per timestep, even.

    Returns:
        The embedding in float32, with shape (B, dim).

    Raises:
        SDGError: ``dim`` is odd or less than 2.
    """
    if dim < 2 or dim % 2:
        raise SDGError(f"the size of a timestep embedding must be even and positive, got {dim}: choose 128")
    half = dim // 2
    frequencies = torch.exp(
        torch.arange(half, dtype=torch.float32, device=t.device) * (-math.log(10000) / half)
    )
    phases = t.float()[:, None] * frequencies
    return torch.cat([phases.cos(), phases.sin()], dim=1)
