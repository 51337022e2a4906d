"""The share of a plan that each process draws."""

import warnings
from collections.abc import Collection

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Subset

from sdg.sampling.plan import SamplePlan


class PlanShard(pl.LightningDataModule):
    """What is left to draw, split by entry number: process r of n draws the entries r, r + n, r + 2n, …

    Nothing is padded or drawn twice, and a process's entries do not depend on what others have done.

    Args:
        done: ids that need not be drawn.
        batch_size: entries per batch of one process.
    """

    def __init__(self, plan: SamplePlan, done: Collection[int], batch_size: int):
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # such a process waits for the others
        self.plan, self.done, self.batch_size = plan, frozenset(done), batch_size

    def left(self, rank: int = 0, processes: int = 1) -> list[int]:
        """Numbers of the entries that one process still has to draw."""
        return [i for i in range(rank, len(self.plan), processes) if self.plan.id(i) not in self.done]

    def predict_dataloader(self) -> DataLoader:
        """Batches of this process's entries."""
        trainer = self.trainer
        assert trainer is not None
        mine = self.left(trainer.global_rank, trainer.world_size)
        warnings.filterwarnings("ignore", message="Total length of .* across ranks is zero")
        return DataLoader(Subset(self.plan, mine), batch_size=self.batch_size, collate_fn=list)
