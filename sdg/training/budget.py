"""A training by the clock: an end when its hours, or the minutes of one run, are over."""

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

FIRST = 60.0
"""Seconds after which the pace is told."""


class Budget(Callback):
    """Ends a training after ``hours`` of work, those of earlier runs included, as if it had all its steps.

    How many steps that makes depends on the machine, so a training that must be repeated exactly names its
    steps instead. The learning rate should not fall to the end, which nobody knows here.

    Args:
        hours: of training, validation and figures together.
        clock: seconds that only go forward.
    """

    def __init__(self, hours: float, clock: Callable[[], float] = time.monotonic):
        self.hours, self.clock = hours, clock
        self.spent, self.steps = 0.0, 0
        self._last: float | None = None
        self._told = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last, self._told = self.clock(), False
        self._began, self._first_step = self.spent, trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        now = self.clock()
        self.spent += now - (self._last if self._last is not None else now)
        self._last = now
        if not self._told and self.spent - self._began >= FIRST:
            self._told = True
            self._tell(trainer)
        over = trainer.strategy.reduce_boolean_decision(self.spent >= self.hours * 3600, all=False)
        trainer.should_stop = trainer.should_stop or over

    def state_dict(self) -> dict[str, Any]:
        return {"spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.spent = float(state_dict["spent"])

    def _tell(self, trainer: pl.Trainer) -> None:
        taken = trainer.global_step - self._first_step
        if not trainer.is_global_zero or not taken:
            return
        pace = taken / (self.spent - self._began)
        end = trainer.global_step + pace * max(0.0, self.hours * 3600 - self.spent)
        bar = getattr(trainer.progress_bar_callback, "train_progress_bar", None)
        if bar is not None:
            bar.total = round(end)  # or it would count to trainer.max_steps, which nobody waits for
        print(
            f"{pace:.2f} steps a second here: {self.hours:g} h end after about {end:,.0f} steps "
            "(callbacks.budget.hours)"
        )


class Deadline(Callback):
    """Ends a run after ``minutes``, wherever the training is: the same command goes on another time.

    Args:
        minutes: of training, validation and figures together; what follows the last step comes on top.
        clock: seconds that only go forward.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic):
        self.end, self.clock = clock() + 60 * minutes, clock

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        over = trainer.strategy.reduce_boolean_decision(self.clock() >= self.end, all=False)
        trainer.should_stop = trainer.should_stop or over
