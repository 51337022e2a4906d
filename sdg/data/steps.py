"""Data order as a pure function of (seed, step): a resumed run sees what an uninterrupted one would."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

from sdg.randomness import keyed_generator


class StepSampler(Sampler[tuple[int, list[int]]]):
    """Yields ``(step, indices)`` for every training step from ``start`` to ``steps``.

    Epochs are shuffled by (seed, epoch) and run into one another: every image is seen equally often and each
    batch is full. A batch that spans more than one epoch may hold an image more than once.

    Args:
        items: number of images.
        batch_size: images per step, on all devices together.
        steps: length of the whole training; also this sampler's ``len``, so that progress bars know the end.
        start: steps already done.
    """

    def __init__(self, items: int, batch_size: int, steps: int, seed: int = 0, start: int = 0):
        self.items, self.batch_size, self.steps, self.seed, self.start = items, batch_size, steps, seed, start

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        epoch, order = -1, list[int]()
        for step in range(self.start, self.steps):
            batch = []
            for position in range(step * self.batch_size, (step + 1) * self.batch_size):
                if position // self.items != epoch:
                    epoch = position // self.items
                    generator = keyed_generator("data order", self.seed, epoch)
                    order = torch.randperm(self.items, generator=generator).tolist()
                batch.append(order[position % self.items])
            yield step, batch
