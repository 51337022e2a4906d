"""SamplePlan: the ordered list of samples a run will draw."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from torch.utils.data import Dataset

from sdg.errors import SDGError


class PlanEntry(NamedTuple):
    """All that a sample depends on, besides the run's networks and sampler.

    Samples with the same ``seed`` and ``index`` share their noise, whatever guides them: that is what makes a
    guided picture and the unguided one beside it comparable.
    """

    id: int
    prompt: str | None
    seed: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody misses
    scale: float

    @property
    def file(self) -> str:
        """Name of the sample's picture."""
        return f"{self.id:06d}.png"

    def record(self) -> dict:
        """The entry as plain data, for the manifest."""
        return self._asdict()


class SamplePlan(Dataset[PlanEntry]):
    """Unguided samples first, one for each index, then every prompt with the same indices.

    Args:
        prompts: sentences; one that is given twice is drawn once.
        samples_per_prompt: indices 0…n-1 of every prompt.
        seed: of all samples; a sample's noise is keyed by (seed, index).
        scale: guidance scale of the prompted samples.
        unguided: whether to draw the unguided samples too.

    Raises:
        SDGError: no prompts, an empty one, or no samples.
    """

    def __init__(
        self, prompts: Sequence[str], samples_per_prompt: int, seed: int, scale: float, unguided: bool = True
    ):
        if not prompts:
            raise SDGError(
                "there is nothing to draw: give prompts='[\"a smiling face\"]' or prompts_file=FILE"
            )
        if samples_per_prompt < 1:
            raise SDGError(f"samples_per_prompt={samples_per_prompt} draws nothing: use 1 or more")
        if empty := [i for i, prompt in enumerate(prompts) if not prompt.strip()]:
            raise SDGError(f"prompt number {empty[0] + 1} is empty: describe what you want to see")
        self.rows: list[tuple[str | None, float]] = [(None, 0.0)] if unguided else []
        self.rows += [(prompt, scale) for prompt in dict.fromkeys(prompts)]
        self.columns, self.seed = samples_per_prompt, seed

    def __len__(self) -> int:
        return len(self.rows) * self.columns

    def __getitem__(self, i: int) -> PlanEntry:
        if not 0 <= i < len(self):
            raise IndexError(i)
        prompt, scale = self.rows[i // self.columns]
        return PlanEntry(i, prompt, self.seed, i % self.columns, scale)

    def __iter__(self) -> Iterator[PlanEntry]:
        return (self[i] for i in range(len(self)))


def read_prompts(path: str | Path) -> list[str]:
    """The prompts of a file, one a line; blank lines and lines that start with # are skipped.

    A line of a ``.jsonl`` file is an object with a "prompt".

    Raises:
        SDGError: no such file, or nothing in it that can be read.
    """
    path = Path(path)
    if not path.is_file():
        raise SDGError(f"there is no prompts file at {path}: give the path of a text file, one prompt a line")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise SDGError(
            f"{path} is not a UTF-8 text file: save it as plain text, one prompt a line"
        ) from error
    prompts = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not prompts:
        raise SDGError(f"{path} holds no prompts: write one a line")
    if path.suffix == ".jsonl":
        try:
            prompts = [str(json.loads(line)["prompt"]).strip() for line in prompts]
        except (ValueError, KeyError, TypeError) as error:
            raise SDGError(
                f'{path} has a line that is not like {{"prompt": "a smiling face"}}: mend it'
            ) from error
    return prompts
