"""Output of a sampling run: files as soon as samples are done, and a progress bar for the whole job."""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter
from pytorch_lightning.loggers import Logger
from torchvision.transforms.functional import to_pil_image
from tqdm import tqdm

from sdg.errors import SDGError
from sdg.processes import first_process
from sdg.report.loggers import show_pictures
from sdg.report.record import label
from sdg.sampling.method import Sample
from sdg.sampling.store import SampleStore

SHOWN = 64
"""Number of samples sent to loggers as they are drawn; grid and table follow at the end of a run."""


class StoreWriter(BasePredictionWriter):
    """Puts finished samples into ``store``, notes the lost ones there, and shows the first to ``loggers``.

    Both are set from outside, once the trainer knows this process's rank. A thread encodes and writes one
    batch while the next is drawn.
    """

    store: SampleStore

    def __init__(self) -> None:
        super().__init__(write_interval="batch")
        self.loggers: list[Logger] = []
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._parent = os.getppid()

    def write_on_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, prediction: Sequence[Sample], *_: Any
    ) -> None:
        self._wait()
        if self.loggers and len(self.store.done) < SHOWN:
            pictures = [to_pil_image(sample.image) for sample in prediction]
            captions = [label(sample.entry.record()) for sample in prediction]
            show_pictures(self.loggers, "samples", pictures, captions, len(self.store.done))
        self._writing = self._thread.submit(self._write, prediction)
        # Lightning catches the signal and goes on predicting, and so do processes whose parent has died.
        if trainer.received_sigterm or (trainer.local_rank and os.getppid() != self._parent):
            self._wait()
            sys.exit(143)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait until the samples of every process are in the folder.

        Raises:
            SDGError: one of the processes has died.
        """
        self._wait()
        try:
            trainer.strategy.barrier("samples written")
        except RuntimeError as error:
            raise SDGError(
                "a process of this run has died: give the same command again, it draws what is left"
            ) from error

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Keep what was drawn before."""
        self._wait()

    def _write(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if sample.lost is None:
                self.store.write(sample.entry, sample.image, sample.record, sample.strip)
            else:
                self.store.lose(sample.entry, sample.lost)

    def _wait(self) -> None:
        """Wait until the last batch is written; if that failed, raises the error, once."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


class SamplingBar:
    """Progress bar over all images of a run, in images, updated at every step of every batch.

    Args:
        total: images in the plan.
        done: images that an earlier run finished.
        steps: sampling steps per image.
        processes: how many draw, at about the same pace; the first shows an estimate for all of them.
    """

    def __init__(self, total: int, done: int, steps: int, processes: int = 1):
        self.steps, self.processes = steps, processes
        layout = "{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total} images [{elapsed}<{remaining}, {rate_fmt}]"
        self.bar = tqdm(
            total=total,
            initial=done,
            desc="sampling",
            unit="img",
            bar_format=layout,
            disable=not first_process(),
        )

    def __call__(self, images: int) -> None:
        # Fractions of an image may add up to slightly more than the total.
        self.bar.update(min(images * self.processes / self.steps, self.bar.total - self.bar.n))

    def close(self) -> None:
        self.bar.close()
