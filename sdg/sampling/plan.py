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


_Row = tuple[str | None, str | None, float]
"""Prompt, reference and scale of the samples in a row."""


class SamplePlan(Dataset[PlanEntry]):
    """Unguided samples first, one per index; then every prompt with every reference, for the same indices.

    Ids are the numbers of the entries. If a plan has grown from earlier ones, their entries keep their ids,
    and the new ones get the next.

    Args:
        prompts: sentences; duplicates are drawn once.
        references: paths of pictures, likewise.
        samples_per_prompt: n; every pair is drawn with the indices 0…n-1.
        seed: of all samples; a sample's noise is keyed by (seed, index).
        scale: guidance scale of the guided samples; if it is 0 and there are no targets, all are unguided.
        unguided: whether to draw the unguided samples too.
        earlier: plans that this one has grown from, the oldest first.

    Raises:
        SDGError: an empty prompt, no samples, or an earlier plan has samples that this one lacks.
    """

    def __init__(
        self,
        prompts: Sequence[str],
        references: Sequence[str],
        samples_per_prompt: int,
        seed: int,
        scale: float,
        unguided: bool = True,
        earlier: Sequence["SamplePlan"] = (),
    ):
        if samples_per_prompt < 1:
            raise SDGError(f"samples_per_prompt={samples_per_prompt} draws nothing: use 1 or more")
        if empty := [i for i, prompt in enumerate(prompts) if not prompt.strip()]:
            raise SDGError(f"prompt number {empty[0] + 1} is empty: describe what you want to see")
        sentences: list[str | None] = [*dict.fromkeys(prompts)] or [None]
        pictures: list[str | None] = [*dict.fromkeys(references)] or [None]
        alone: list[_Row] = [(None, None, 0.0)] if unguided else []
        led: list[_Row] = [
            (prompt, reference, scale) for prompt, reference in itertools.product(sentences, pictures)
        ]
        self.rows = list(dict.fromkeys([*alone, *led]))
        self.columns, self.seed = samples_per_prompt, seed
        self._numbered = self._number(earlier)

    def __len__(self) -> int:
        return len(self.rows) * self.columns

    def __getitem__(self, i: int) -> PlanEntry:
        if not 0 <= i < len(self):
            raise IndexError(i)
        prompt, reference, scale = self.rows[i // self.columns]
        return PlanEntry(self.id(i), prompt, reference, self.seed, i % self.columns, scale)

    def __iter__(self) -> Iterator[PlanEntry]:
        return (self[i] for i in range(len(self)))

    def id(self, i: int) -> int:
        """The id of entry ``i``."""
        index = i % self.columns
        start, first = next(part for part in self._numbered[self.rows[i // self.columns]] if part[0] <= index)
        return first + index - start

    def ids(self) -> Iterator[int]:
        """The ids of all entries, in order."""
        return map(self.id, range(len(self)))

    def _number(self, earlier: Sequence["SamplePlan"]) -> dict[_Row, list[tuple[int, int]]]:
        """For each row, the indices at which consecutive ids begin, and the first of them; the last first."""
        numbered: dict[_Row, list[tuple[int, int]]] = {row: [] for row in self.rows}
        drawn, total = dict.fromkeys(self.rows, 0), 0
        for plan in (*earlier, self):
            if plan.columns > self.columns:
                raise SDGError(
                    f"{plan.columns} samples were drawn for each prompt: give samples_per_prompt="
                    f"{plan.columns} or more, or choose another output_dir"
                )
            for row in plan.rows:
                if row not in drawn:
                    lacking = _described(row)
                    raise SDGError(
                        f"samples {lacking} were drawn: ask for them, too, or choose another output_dir"
                    )
                if new := plan.columns - drawn[row]:
                    numbered[row].insert(0, (drawn[row], total))
                    drawn[row], total = plan.columns, total + new
        return numbered


def _described(row: _Row) -> str:
    prompt, reference, _ = row
    targets = [repr(target) for target in (prompt, reference) if target is not None]
    return f"of {' with '.join(targets)}" if targets else "without guidance (unguided=true)"
