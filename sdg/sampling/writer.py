"""Callbacks of a sampling run: files as soon as samples are done, and a bar over the whole job."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter
from tqdm import tqdm

from sdg.sampling.chains import Sample
from sdg.sampling.store import SampleStore


class StoreWriter(BasePredictionWriter):
    """Puts every finished sample into the store, but those that were lost into ``broken``."""

    def __init__(self, store: SampleStore):
        super().__init__(write_interval="batch")
        self.store = store
        self.broken: list[Sample] = []

    def write_on_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, prediction: Sequence[Sample], *_: Any
    ) -> None:
        for sample in prediction:
            if sample.lost is None:
                self.store.write(sample.entry, sample.image, sample.record, sample.strip)
            else:
                self.broken.append(sample)


class SamplingBar:
    """Progress over all images of a run, in images, moved on at every step of every batch.

    Args:
        total: images in the plan.
        done: of them finished by an earlier run.
        steps: sampling steps per image.
    """

    def __init__(self, total: int, done: int, steps: int):
        self.steps = steps
        layout = "{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total} images [{elapsed}<{remaining}, {rate_fmt}]"
        self.bar = tqdm(total=total, initial=done, desc="sampling", unit="img", bar_format=layout)

    def __call__(self, images: int) -> None:
        # Fractions of an image add up to a little more than all of them.
        self.bar.update(min(images / self.steps, self.bar.total - self.bar.n))

    def close(self) -> None:
        self.bar.close()
