"""Base class of all sampling methods: a module that draws a plan's samples under Trainer.predict."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pytorch_lightning as pl
from torch import Tensor

from sdg.data.picture import read_picture
from sdg.errors import SDGError
from sdg.sampling.plan import PlanEntry


class Sample(NamedTuple):
    """A finished sample."""

    entry: PlanEntry
    image: Tensor
    """(3, S, S) uint8, on the CPU."""
    record: dict
    """What the manifest records: F_k of the finished picture (``scores``), and the steps (``trace``)."""
    lost: int | None = None
    """The step, counted from 1, at which it became NaN or infinite; None for a good sample."""
    strip: Tensor | None = None
    """Clean images predicted along the chain, side by side, (3, S, n S) uint8."""


class Method(pl.LightningModule, ABC):
    """Draws batches of plan entries. The sample drawn for an entry does not depend on its batch.

    Args:
        size: side of the pictures, in pixels.
        steps: per sample, for the progress bar.
        scale: guidance scale of the plan's guided samples.
        group: samples the networks process at a time, whatever the batch size; the last group is padded.
            Kernels are chosen by input size and round differently, and long chains amplify that until it is
            visible: only a fixed group size reproduces a picture bit for bit.
    """

    def __init__(self, size: int, steps: int, scale: float, group: int):
        super().__init__()
        if group < 1:
            raise SDGError(f"group={group} is no number of samples: use 1 or more")
        self.size, self.steps, self.scale, self.group = size, steps, scale, group
        self.on_step: Callable[[int], None] = lambda images: None
        """Called after every step with the number of images in the group, e.g. to move a progress bar."""

    @abstractmethod
    def waiting(self, kind: str) -> dict[str, str]:
        """What needs this kind of target (``prompt``, ``reference``), in words, and how to leave each out."""

    def check(self, prompts: Sequence[str], references: Sequence[str]) -> None:
        """Check now what would otherwise fail later.

        Raises:
            SDGError: a target is missing, is not read by anything, or cannot be used.
        """
        for kind, given, example in (
            ("prompt", prompts, "prompts='[\"a smiling face\"]'"),
            ("reference", references, "references=[face.png]"),
        ):
            waiting = self.waiting(kind)
            if waiting and not given:
                reader, remedy = next(iter(waiting.items()))
                raise SDGError(f"nothing says what {reader} should aim at: give {example}, or {remedy}")
            if given and not waiting:
                raise SDGError(f"nothing here reads a {kind}: leave {kind}s out, or choose guidance=mix")
        for path in self.pictures(references):
            read_picture(path, self.size)

    @abstractmethod
    def unknown_words(self, prompt: str) -> list[str]:
        """Words of a prompt that the encoder does not know."""

    @abstractmethod
    def draw(self, entries: Sequence[PlanEntry], tick: Callable[[], None]) -> list[Sample]:
        """The samples of one full group; must call ``tick`` after every step."""

    def pictures(self, references: Sequence[str]) -> list[str]:
        """The paths of all reference pictures, each once."""
        return list(dict.fromkeys(references))

    def predict_step(self, batch: Sequence[PlanEntry], batch_idx: int = 0) -> list[Sample]:
        """The samples of ``batch``, in its order."""
        samples = []
        for i in range(0, len(batch), self.group):
            entries = batch[i : i + self.group]
            full = [*entries, *[entries[-1]] * (self.group - len(entries))]
            samples += self.draw(full, partial(self.on_step, len(entries)))[: len(entries)]
        return samples
