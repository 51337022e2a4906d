"""How fast a training is, and how much of the time it waits for its data."""

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.profilers import Profiler


class LoaderClock(Profiler):
    """Adds up the seconds that the training loop waits for its next batch, in ``waited``."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0
        self._began = 0.0

    def start(self, action_name: str) -> None:
        if action_name.endswith("train_dataloader_next"):  # Lightning times much else
            self._began = time.perf_counter()

    def stop(self, action_name: str) -> None:
        if action_name.endswith("train_dataloader_next"):
            self.waited += time.perf_counter() - self._began


class Pace(Callback):
    """Logs the learning rate, pictures per second and the share of the time spent waiting for them.

    The last two are means since they were last logged, over all devices and without validations. On a GPU a
    part of the waiting may be hidden behind kernels that are still running.

    Args:
        clock: times the loop's data; None (another profiler is in its place) leaves the share out.
    """

    def __init__(self, clock: LoaderClock | None):
        self.clock = clock
        self._began = self._waited = self._elsewhere = self._validation = 0.0
        self._pictures = self._step = 0
        self._lr = 0.0

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._step = trainer.global_step
        self._restart()

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_validation_start(self, *_: Any) -> None:
        self._validation = time.perf_counter()

    def on_validation_end(self, *_: Any) -> None:
        self._elsewhere += time.perf_counter() - self._validation

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._pictures += len(batch["image"]) * trainer.world_size
        step, every = trainer.global_step, trainer.log_every_n_steps  # type: ignore[attr-defined]
        # When Lightning sends what is logged; with gradient accumulation, several batches end at one step.
        if step == self._step or not (step == trainer.max_steps or step % every == 0):
            return
        self._step = step
        seconds = time.perf_counter() - self._began - self._elsewhere
        pl_module.log("train/lr", self._lr)
        pl_module.log("train/pictures_per_second", self._pictures / seconds)
        if self.clock is not None:
            pl_module.log("train/waiting_for_data", (self.clock.waited - self._waited) / seconds)
        self._restart()

    def _restart(self) -> None:
        self._began, self._elsewhere, self._pictures = time.perf_counter(), 0.0, 0
        self._waited = self.clock.waited if self.clock else 0.0
