"""SamplePlan: the ordered list of samples a run will draw."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch.utils.data import Dataset

from sdg.errors import SDGError
from sdg.report.record import aimed


class PlanEntry(NamedTuple):
    """Everything a sample depends on, apart from the run's networks and settings.

    Samples with the same ``seed`` and ``index`` share their noise, whatever guides them. This makes a guided
    picture comparable with the unguided one beside it.
    """

    id: int
    prompt: str | None
    reference: str | None
    """Path of a picture."""
    seed: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody misses
    scale: float

    @property
    def file(self) -> str:
        """The picture's file name."""
        return f"{self.id:06d}.png"

    @property
    def key(self) -> tuple[int, int]:
        """The key of the sample's noise."""
        return self.seed, self.index

    @property
    def aimed(self) -> bool:
        """Whether the sample has any guidance or target; if not, the prior draws it alone."""
        return aimed(self.record())

    def record(self) -> dict:
        """The entry as plain data, for the manifest."""
        return self._asdict()


class SamplePlan(Dataset[PlanEntry]):
    """Unguided samples first, one per index; then every prompt with every reference, for the same indices.

    Args:
        prompts: sentences; duplicates are drawn once.
        references: paths of pictures, likewise.
        samples_per_prompt: n; every pair is drawn with the indices 0…n-1.
        seed: of all samples; a sample's noise is keyed by (seed, index).
        scale: guidance scale of the guided samples; if it is 0 and there are no targets, all are unguided.
        unguided: whether to draw the unguided samples too.

    Raises:
        SDGError: an empty prompt, or no samples.
    """

    def __init__(
        self,
        prompts: Sequence[str],
        references: Sequence[str],
        samples_per_prompt: int,
        seed: int,
        scale: float,
        unguided: bool = True,
    ):
        if samples_per_prompt < 1:
            raise SDGError(f"samples_per_prompt={samples_per_prompt} draws nothing: use 1 or more")
        if empty := [i for i, prompt in enumerate(prompts) if not prompt.strip()]:
            raise SDGError(f"prompt number {empty[0] + 1} is empty: describe what you want to see")
        sentences: list[str | None] = [*dict.fromkeys(prompts)] or [None]
        pictures: list[str | None] = [*dict.fromkeys(references)] or [None]
        alone: list[tuple[str | None, str | None, float]] = [(None, None, 0.0)] if unguided else []
        led = [(prompt, reference, scale) for prompt, reference in itertools.product(sentences, pictures)]
        self.rows = list(dict.fromkeys([*alone, *led]))
        self.columns, self.seed = samples_per_prompt, seed

    def __len__(self) -> int:
        return len(self.rows) * self.columns

    def __getitem__(self, i: int) -> PlanEntry:
        if not 0 <= i < len(self):
            raise IndexError(i)
        prompt, reference, scale = self.rows[i // self.columns]
        return PlanEntry(i, prompt, reference, self.seed, i % self.columns, scale)

    def __iter__(self) -> Iterator[PlanEntry]:
        return (self[i] for i in range(len(self)))
