"""The training progress bar."""

import sys
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar

from sdg.progress import Bar


class StepBar(TQDMProgressBar):
    """Lightning's bar over all batches of the run, with rate and time left, even for a resumed run.

    Lightning's own bar counts the batches of an epoch, and knows neither their number nor their rate when
    resumed in the middle of one; here one epoch is the whole run.
    """

    def init_train_tqdm(self) -> Bar:
        """The bar of the training."""
        return Bar(
            disable=self.is_disabled,
            dynamic_ncols=True,
            file=sys.stdout,
            smoothing=0,
            bar_format=self.BAR_FORMAT,
        )

    def init_validation_tqdm(self) -> Bar:
        """The bar of a validation, below the other one."""
        return Bar(
            desc=self.validation_description,
            disable=self.is_disabled,
            position=1,
            leave=False,
            dynamic_ncols=True,
            file=sys.stdout,
            bar_format=self.BAR_FORMAT,
        )

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Start where the checkpoint left off."""
        super().on_train_start(trainer)
        bar, batches = self.train_progress_bar, trainer.accumulate_grad_batches
        bar.set_description("training")
        bar.total = trainer.max_steps * batches
        bar.initial = bar.n = trainer.global_step * batches

    def on_train_epoch_start(self, *_: Any) -> None:
        """Do nothing, to keep the bar as it is."""
