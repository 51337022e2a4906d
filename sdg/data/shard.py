"""Batches divided among devices."""

from collections.abc import Iterator

from torch.utils.data import DistributedSampler

from sdg.data.steps import StepSampler
from sdg.errors import SDGError

Batches = StepSampler | list[tuple[int, list[int]]]
"""(step, indices) of every batch, in order."""


class Shard(DistributedSampler[tuple[int, list[int]]]):
    """One device's part of every batch: nothing is repeated, nothing left out, and all take as many steps.

    By its type, Lightning knows that this has been divided already.
    """

    def __init__(self, batches: Batches, ranks: int, rank: int):
        super().__init__(range(len(batches)), ranks, rank, shuffle=False)  # type: ignore[arg-type]  # sized
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        for step, indices in self.batches:
            if len(indices) < self.num_replicas:
                raise SDGError(
                    f"a batch of {len(indices)} pictures cannot be divided among {self.num_replicas} "
                    "devices: use fewer devices, or more pictures in a batch and to validate on"
                )
            yield step, indices[self.rank :: self.num_replicas]
