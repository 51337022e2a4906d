"""Weights made from their names: the same tensor for the same key, shape and seed on every machine.

The golden arrays of this folder were computed, with the public reference implementations, for networks filled
so. A test therefore needs the names and shapes of the parameters, not gigabytes of weights.
"""

import math
import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def fill(key: str, shape: Sequence[int], seed: int = 0) -> Tensor:
    """Draw one tensor; matrices and kernels get unit gain, norm weights and running variances lie near 1."""
    generator = torch.Generator().manual_seed((zlib.crc32(key.encode()) + seed) % 2**32)
    x = torch.randn(tuple(shape), generator=generator)
    if len(shape) > 1:
        return x / math.sqrt(math.prod(shape[1:]))
    if key.endswith("running_var"):
        return 1 + 0.1 * x.abs()
    if key.endswith("weight"):
        return 1 + 0.1 * x
    return 0.1 * x


def fill_state_dict(state: Mapping[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """A filled copy of a state dict; integer tensors, such as counters, become zeros."""
    return {
        key: fill(key, value.shape, seed) if value.is_floating_point() else torch.zeros_like(value)
        for key, value in state.items()
    }


def fill_equalized(key: str, shape: Sequence[int], seed: int = 0) -> Tensor:
    """The same for StyleGAN2's equalised layers: unit variance, and 1 / 0.01 in the mapping network."""
    x = fill(key, shape, seed)
    if len(shape) > 1:
        x = x * math.sqrt(math.prod(shape[1:]))
        return x / 0.01 if key.startswith("style.") else x
    return 1 + x if key.endswith("modulation.bias") else x
