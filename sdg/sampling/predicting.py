"""A plan drawn by the processes of a Lightning trainer."""

import logging
import warnings
from collections.abc import Callable, Sequence

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Subset

from sdg.sampling.method import Method, Sample
from sdg.sampling.plan import PlanEntry
from sdg.sampling.shard import PlanShard
from sdg.sampling.writer import SamplingBar, StoreWriter
from sdg.stopping import listen
from sdg.trainers import together, wait_for_all

# After importing Lightning, which sets the level itself: show only what a user can act on.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


class Spread:
    """Draws with all processes of a trainer, each on its device.

    Args:
        trainer: of :func:`~sdg.trainers.make_trainer`.
    """

    def __init__(self, trainer: pl.Trainer):
        self.trainer, self.rank, self.processes = trainer, trainer.global_rank, trainer.world_size

    def draw(self, method: Method, shard: PlanShard, bar: SamplingBar, writer: StoreWriter) -> None:
        """Draw what is left; whatever ends it, what is complete is kept."""
        with together(self.trainer):
            try:
                predicting = Predicting(method, bar, writer)
                self.trainer.predict(predicting, datamodule=PlanData(shard), return_predictions=False)
            finally:
                writer.wait()
            wait_for_all(self.trainer)


class Predicting(pl.LightningModule):
    """A method as a LightningModule: draws batches of plan entries.

    Args:
        method: draws them.
        on_step, on_samples: see :meth:`Method.draw`.
    """

    def __init__(
        self,
        method: Method,
        on_step: Callable[[int], None] = lambda images: None,
        on_samples: Callable[[list[Sample]], None] = lambda samples: None,
    ):
        super().__init__()
        self.method, self.on_step, self.on_samples = method, on_step, on_samples

    def on_predict_start(self) -> None:
        """Answer signals as a command does: Lightning's own handlers let the whole batch end."""
        listen(running=True)

    def predict_step(self, batch: Sequence[PlanEntry], batch_idx: int = 0) -> list[Sample]:
        """The samples of ``batch``, in its order."""
        return self.method.draw(batch, self.on_step, self.on_samples)


class PlanData(pl.LightningDataModule):
    """A plan's shard, with batches for each of the trainer's processes."""

    def __init__(self, shard: PlanShard):
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # such a process waits for the others
        self.shard = shard

    def predict_dataloader(self) -> DataLoader:
        """Batches of this process's entries."""
        trainer, shard = self.trainer, self.shard
        assert trainer is not None
        mine = shard.left(trainer.global_rank, trainer.world_size)
        warnings.filterwarnings("ignore", message="Total length of .* across ranks is zero")
        return DataLoader(Subset(shard.plan, mine), batch_size=shard.batch_size, collate_fn=list)
