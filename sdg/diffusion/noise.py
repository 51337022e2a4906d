"""Randomness that belongs to a sample: one generator per sample, keyed by (seed, index)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sdg.randomness import keyed_generator


class NoiseSource:
    """The noise of a batch of samples; each draws from a generator of its own.

    A sample's noise depends on its ``(seed, index)`` key and on how often it was asked, never on the batch it
    sits in. Numbers are drawn on the CPU, so they are the same on every device type.

    Args:
        keys: one (seed, index) pair per sample.
        stream: what the noise is for; a sample's other streams (say, its reference's) are independent.
    """

    def __init__(self, keys: Sequence[tuple[int, int]], stream: str = "x_t"):
        self.generators = [keyed_generator(stream, seed, index) for seed, index in keys]

    def normal(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Standard normal noise of (B, *shape), float32."""
        draws = [torch.randn(tuple(shape), generator=generator) for generator in self.generators]
        return torch.stack(draws).to(device)
