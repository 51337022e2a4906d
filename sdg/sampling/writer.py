"""Output of a sampling run: files as soon as samples are done, and a progress bar for the whole job."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from PIL import Image

from sdg.processes import first_process
from sdg.progress import Bar
from sdg.report.record import label
from sdg.sampling.method import Sample
from sdg.sampling.store import SampleStore

if TYPE_CHECKING:  # Lightning is imported where it has something to do
    from pytorch_lightning.loggers import Logger

SHOWN = 64
"""Number of samples sent to loggers as they are drawn; grid and table follow at the end of a run."""


class StoreWriter:
    """Puts finished samples into ``store``, notes the lost ones there, and shows the first to ``loggers``.

    A thread encodes and writes one group while the next is drawn.
    """

    def __init__(self, store: SampleStore, loggers: "Sequence[Logger]" = ()):
        self.store, self.loggers = store, list(loggers)
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of one group; raises what went wrong with the group before."""
        self.wait()
        if self.loggers and len(self.store.done) < SHOWN:
            from sdg.report.loggers import show_pictures

            pictures = [
                Image.fromarray(sample.image.permute(1, 2, 0).contiguous().numpy()) for sample in samples
            ]
            captions = [label(sample.entry.record()) for sample in samples]
            show_pictures(self.loggers, "samples", pictures, captions, len(self.store.done))
        self._writing = self._thread.submit(self._write, samples)

    def wait(self) -> None:
        """Wait until all that was taken is written; if that failed, raises the error, once."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if sample.lost is None:
                self.store.write(sample.entry, sample.image, sample.record, sample.strip)
            else:
                self.store.lose(sample.entry, sample.lost)


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
        self.bar = Bar(
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
