"""Base class of all sampling methods: what draws the pictures of plan entries."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sdg.data.picture import read_picture
from sdg.errors import SDGError
from sdg.sampling.asked import PROMPTS, REFERENCES
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


class View(NamedTuple):
    """A group after one of its steps; everything stays on the device."""

    number: int
    """Of the step, from 1."""
    t: float
    """The original time the step began at; for a search, the steps that are left."""
    predicted: Tensor
    """The clean pictures expected so far, (B, 3, S, S), about [-1, 1]; after the last step the pictures."""
    scores: Mapping[str, Tensor] = MappingProxyType({})
    """F_k of each term where the step began, (B,); empty where nothing was guided."""
    gradient_rms: Tensor | None = None
    """Root mean square of the gradient, (B,); None where nothing was guided."""
    clipped: Tensor | None = None
    """Share of the prior's prediction at the bounds of [-1, 1], (B,); None for a search."""


class Method(nn.Module, ABC):
    """Draws plan entries. The sample drawn for an entry does not depend on those drawn with it.

    Args:
        size: side of the pictures, in pixels.
        steps: per sample.
        scale: guidance scale of the plan's guided samples.
        group: samples the networks process at a time, however many are drawn; the last group is padded.
            Kernels are chosen by input size and round differently, and long chains amplify that until it is
            visible: only a fixed group size reproduces a picture bit for bit.
    """

    side_by_side: bool = False
    """Whether the networks of a step run at once, which affects the last bits."""

    def __init__(self, size: int, steps: int, scale: float, group: int):
        super().__init__()
        if group < 1:
            raise SDGError(f"group={group} is no number of samples: use 1 or more")
        self.size, self.steps, self.scale, self.group = size, steps, scale, group

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    @abstractmethod
    def waiting(self, kind: str) -> dict[str, str]:
        """What needs this kind of target (``prompt``, ``reference``), in words, and how to leave each out."""

    def check(self, prompts: Sequence[str], references: Sequence[str]) -> None:
        """Check now what would otherwise fail later.

        Raises:
            SDGError: a target is missing, is not read by anything, or cannot be used.
        """
        for kind, given, example in (
            ("prompt", prompts, PROMPTS),
            ("reference", references, REFERENCES),
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

    def pictures(self, references: Sequence[str]) -> list[str]:
        """The paths of all reference pictures, each once."""
        return list(dict.fromkeys(references))

    @abstractmethod
    def chain(self, entries: Sequence[PlanEntry]) -> Generator[View, None, list[Sample]]:
        """Draw one full group: a view after every step, and the samples as the generator's result."""

    def draw(
        self,
        entries: Sequence[PlanEntry],
        on_step: Callable[[int], None] = lambda images: None,
        on_samples: Callable[[list[Sample]], None] = lambda samples: None,
    ) -> list[Sample]:
        """The samples of ``entries``, in their order.

        Args:
            on_step: called after every step with the number of images in the group, e.g. to move a bar.
            on_samples: called with the samples of every group as soon as it is drawn, e.g. to keep them.
        """
        samples: list[Sample] = []
        for i in range(0, len(entries), self.group):
            some = entries[i : i + self.group]
            chain = self.chain(self.padded(some))
            while True:
                try:
                    next(chain)
                except StopIteration as end:
                    drawn = end.value[: len(some)]
                    break
                on_step(len(some))
            on_samples(drawn)
            samples += drawn
        return samples

    def padded(self, entries: Sequence[PlanEntry]) -> list[PlanEntry]:
        """Up to a group of entries, made a full one by repeating the last."""
        return [*entries, *[entries[-1]] * (self.group - len(entries))]
