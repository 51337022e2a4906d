"""Exports the trained weights, with a card that says where they come from."""

import os
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Timer

from sdg.checkpoints import save_weights
from sdg.files import write_whole
from sdg.training.finite import check_finite
from sdg.training.training import Training


class Export(Callback):
    """Writes the weights to export as float16 safetensors, with a card beside them.

    Args:
        path: of the safetensors file; the card has the same name with ``.md``.
        every: steps between exports; the last step is always exported, with the final metrics on its card.
    """

    def __init__(self, path: str, every: int = 1000):
        self.path, self.every = Path(path), every
        self._written = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._written = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        step = trainer.global_step
        # With gradient accumulation, several batches end at one step. The last step is exported before its
        # validation, which may be killed: a run resumed after its last step never reaches on_train_end.
        if step != self._written and (step % self.every == 0 or step == trainer.max_steps):
            self._write(trainer, pl_module)
            self._written = step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write(trainer, pl_module)

    def _write(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Training)
        check_finite(trainer)
        if not trainer.is_global_zero:
            return
        command = " ".join(["python", *sys.argv])
        weights = pl_module.exported_weights()
        metadata = {"command": command, "steps": str(trainer.global_step), "weights": weights}
        metadata |= pl_module.exported_notes()
        save_weights(self.path, pl_module.exported(), metadata)
        write_whole(self.path.with_suffix(".md"), self._card(trainer, pl_module, command))

    def _card(self, trainer: pl.Trainer, pl_module: Training, command: str) -> str:
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set, but not declared
        timers = [callback for callback in callbacks if isinstance(callback, Timer)]
        minutes = f"{timers[0].time_elapsed('train') / 60:.0f} minutes" if timers else "not timed"
        data = trainer.datamodule  # type: ignore[attr-defined]  # set, but not declared
        network = pl_module.exported()
        parameters = sum(parameter.numel() for parameter in network.parameters())
        metrics = {key: float(value) for key, value in trainer.callback_metrics.items() if "/" in key}
        lines = [
            f"# {self.path.stem}",
            "",
            f"- command: `{command}`",
            f"- network: {type(network).__name__}, {parameters:,} parameters, stored as float16",
            f"- data: {data}",
            f"- steps: {trainer.global_step:,} of {trainer.max_steps:,}",
            f"- weights: {pl_module.exported_weights()}",
            *(f"- {name}: {note}" for name, note in pl_module.exported_notes().items()),
            f"- optimisation: {pl_module.optimisation}; {_clipping(trainer)}; precision {trainer.precision}",
            f"- time: {minutes} on {_machine(trainer)}",
            "",
            "| metric at the end of training | value |",
            "|---|---|",
            *(f"| {key} | {value:.4f} |" for key, value in sorted(metrics.items())),
            "",
        ]
        return "\n".join(lines)


def _clipping(trainer: pl.Trainer) -> str:
    if trainer.gradient_clip_val is None:
        return "gradients not clipped"
    what = "each number" if trainer.gradient_clip_algorithm == "value" else "their norm"
    return f"gradients clipped, {what} at {trainer.gradient_clip_val:g}"


def _machine(trainer: pl.Trainer) -> str:
    if torch.cuda.is_available() and trainer.strategy.root_device.type == "cuda":
        return f"{trainer.num_devices} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} thread(s) of a {os.cpu_count()}-core CPU"
