"""Randomness that belongs to a sample: one generator per sample, keyed by (seed, index)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sdg.randomness import keyed_generator


class NoiseSource:
    """The noise of a batch of samples; each sample draws from its own generator.

    A sample's noise depends on its ``(seed, index)`` key and on how much was drawn before, never on the rest
    of the batch. Numbers are drawn on the CPU, so they are the same on every device type.

    Args:
        keys: one (seed, index) pair per sample.
        stream: what the noise is for; a sample's other streams (say, its reference's) are independent.
    """

    def __init__(self, keys: Sequence[tuple[int, int]], stream: str = "x_t"):
        self.generators = [keyed_generator(stream, seed, index) for seed, index in keys]

    def normal(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Standard normal noise (B, *shape), float32.

        A GPU copies it from pinned memory asynchronously: the host does not wait, and can draw the next noise
        while the GPU is at work.
        """
        kind = torch.device(device).type
        noise = torch.empty(len(self.generators), *shape, dtype=torch.float32, pin_memory=kind == "cuda")
        for row, generator in zip(noise, self.generators, strict=True):
            row.normal_(generator=generator)
        # MPS would read memory that may have been reused by then (pytorch issue 189690).
        return noise.to(device, non_blocking=kind != "mps")
