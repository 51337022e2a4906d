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
        keys: one (seed, index) pair per sample; a third number tells apart chains of one sample.
        stream: what the noise is for; a sample's other streams (say, its reference's) are independent.
    """

    def __init__(self, keys: Sequence[tuple[int, ...]], stream: str = "x_t"):
        self.keys = list(keys)
        self.generators = [keyed_generator(stream, *key) for key in keys]

    def other(self, stream: str) -> "NoiseSource":
        """The same samples' noise for something else, from its beginning."""
        return NoiseSource(self.keys, stream)

    def keep(self, rows: Tensor) -> "NoiseSource":
        """The noise of a batch that goes on with these samples, (N,) int64.

        Each place of a batch keeps its own generator, whatever sample comes to stand there, so that copies of
        one sample part; only if there are fewer samples than before, those that are left take theirs along.
        """
        if len(rows) < len(self.keys):
            kept = rows.tolist()
            self.keys = [self.keys[i] for i in kept]
            self.generators = [self.generators[i] for i in kept]
        return self

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
