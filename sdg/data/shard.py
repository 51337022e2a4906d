"""Batches divided among devices."""

from collections.abc import Iterator

import pytorch_lightning as pl
from torch.utils.data import DistributedSampler

from sdg.data.steps import StepSampler
from sdg.errors import SDGError

Batches = StepSampler | list[tuple[int, list[int]]]
"""(step, indices) of every batch, in order."""


class Shard(DistributedSampler[tuple[int, list[int]]]):
    """One device's part of every batch: nothing is repeated or left out, and all parts are equally large.

    Picture i of a batch goes to device i mod ``ranks``. From the type of this sampler, Lightning knows that
    the batches are already divided.

    Raises:
        SDGError: while iterating, if a batch does not divide evenly.
    """

    def __init__(self, batches: Batches, ranks: int, rank: int):
        super().__init__(range(len(batches)), ranks, rank, shuffle=False)  # type: ignore[arg-type]  # sized
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        for step, indices in self.batches:
            if len(indices) % self.num_replicas:
                # Unequal parts would weight the pictures unequally: DDP takes the mean over devices.
                raise SDGError(
                    f"a batch of {len(indices)} pictures cannot be divided among {self.num_replicas} "
                    f"devices: data.batch_size counts them all, use a multiple of {self.num_replicas}"
                )
            yield step, indices[self.rank :: self.num_replicas]


def training_batches(trainer: pl.Trainer, items: int, batch_size: int, seed: int) -> Batches | Shard:
    """This device's remaining batches of a training on ``items`` pictures, ``batch_size`` over all devices.

    An optimiser step takes ``trainer.accumulate_grad_batches`` batches, each with its own number: k batches
    of B hold the pictures of one batch of k·B.
    """
    parts = trainer.accumulate_grad_batches
    batches = StepSampler(items, batch_size, trainer.max_steps * parts, seed, trainer.global_step * parts)
    return Shard(batches, trainer.world_size, trainer.global_rank) if trainer.world_size > 1 else batches
