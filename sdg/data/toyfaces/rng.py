"""Counter-based uniform random numbers: a pure function of (seed, index, slot), whatever the batch.

The counter goes through the finaliser of SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014) in wrapping 64-bit arithmetic, so there is no state or order to keep.
"""

import torch
from torch import Tensor


def _signed(value: int) -> int:
    """The int64 with the same 64 bits: torch has no full unsigned arithmetic."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


GAMMA = _signed(0x9E3779B97F4A7C15)
MIX_1 = _signed(0xBF58476D1CE4E5B9)
MIX_2 = _signed(0x94D049BB133111EB)


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Logical shift: torch's own >> copies the sign bit in."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _mix(z: Tensor) -> Tensor:
    z = (z ^ _shift_right(z, 30)) * MIX_1
    z = (z ^ _shift_right(z, 27)) * MIX_2
    return z ^ _shift_right(z, 31)


def uniform(seed: int, index: Tensor, slot: int) -> Tensor:
    """Independent uniform numbers, one per index.

    Args:
        seed: any int, of which the low 64 bits are used.
        index: (N,) int64.
        slot: which of the independent streams of each index.

    Returns:
        (N,) float64 in [0, 1), multiples of 2**-53.
    """
    z = _mix(torch.full_like(index, _signed(seed)) + GAMMA)
    z = _mix(z + index * GAMMA)
    z = _mix(z + _signed(slot * GAMMA) + GAMMA)
    return _shift_right(z, 11).to(torch.float64) * 2.0**-53
