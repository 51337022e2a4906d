"""Rates, computed from what runs leave behind."""

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from sdg.files import write_whole


class StepTimes(Callback):
    """Records when each training step ended, in seconds of a clock that only gives differences.

    Args:
        path: of the JSON list to write.
    """

    def __init__(self, path: str):
        self.path = Path(path)
        self._ended: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self._ended.append(time.perf_counter())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            write_whole(self.path, json.dumps(self._ended))


def training_rate(times: Path, batch: int) -> float:
    """Pictures per second of a training with ``batch`` pictures per step, after its second step."""
    ended = json.loads(times.read_text(encoding="utf-8"))
    return batch * (len(ended) - 2) / (ended[-1] - ended[1])


def sampling_rate(folder: Path, processes: int, batch: int) -> float:
    """Pictures per second of processes that split a plan in turn, after the first batch of each."""
    written = [path.stat().st_mtime_ns / 1e9 for path in sorted(folder.glob("*.png"))]
    shares = [sorted(written[rank::processes]) for rank in range(processes)]
    return sum((len(share) - batch) / (share[-1] - share[batch - 1]) for share in shares)
