"""Evidence: one sampling run as the judge sees it, arranged for measuring."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.folder import read_manifest, read_pictures
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.mentions import Mentions


@dataclass(frozen=True)
class Evidence:
    """What metrics measure."""

    guided: Judged
    """Every sample that has a prompt: prompt by prompt, as many of each, in order of (seed, index)."""
    unguided: Judged
    """Every sample of scale 0, one for each (seed, index)."""
    mentions: Mentions
    judge: JudgeReader

    @property
    def prompts(self) -> list[str]:
        """The P different prompts, in the order of ``guided``."""
        return list(dict.fromkeys(record["prompt"] for record in self.guided.records))

    def mentioned(self) -> Tensor:
        """(N, 8) int64, what each guided sample was asked for; -1: nothing. Raises as ``Mentions``."""
        self.need_guided()
        return self.mentions([record["prompt"] for record in self.guided.records])

    def partners(self) -> Judged:
        """For every guided sample the unguided one of the same noise.

        Raises:
            SDGError: there is none.
        """
        self.need_guided()
        rows = {_noise(record): row for row, record in enumerate(self.unguided.records)}
        noises = [_noise(record) for record in self.guided.records]
        if absent := [noise for noise in noises if noise not in rows]:
            seed, index = absent[0]
            raise SDGError(f"no unguided sample has seed {seed} and index {index}: draw with unguided=true")
        return self.unguided.only([rows[noise] for noise in noises])

    def by_prompt(self, values: Tensor) -> Tensor:
        """(N, ...), a row for every guided sample, to (P, n, ...)."""
        return values.unflatten(0, (len(self.prompts), -1))

    def need_guided(self) -> None:
        """Raise SDGError unless there are guided samples."""
        if not len(self.guided):
            raise SDGError(
                "there are no guided samples to measure: give the folder of a run that has prompts"
            )


def gather(folder: str | Path, judge: JudgeReader, mentions: Mentions) -> Evidence:
    """Judge the sampling run in ``folder``.

    Raises:
        SDGError: the folder or its pictures cannot be used, or samples are missing.
    """
    records = read_manifest(folder)
    judged = judge.read(read_pictures(folder, records, judge.batch_size), records)
    unguided: dict[tuple[int, int], int] = {}
    guided = defaultdict(list)
    for row, record in enumerate(records):
        if record["scale"] == 0:
            unguided.setdefault(_noise(record), row)
        if record["prompt"] is not None:
            guided[record["prompt"]].append(row)
    counts = {len(rows) for rows in guided.values()}
    if len(counts) > 1:
        raise SDGError(
            f"some prompts of {folder} have {min(counts)} samples and some {max(counts)}: "
            "repeat its sample.py command, with a lower guidance.scale if samples became NaN"
        )
    ordered = [row for rows in guided.values() for row in sorted(rows, key=lambda row: _noise(records[row]))]
    return Evidence(judged.only(ordered), judged.only(list(unguided.values())), mentions, judge)


def _noise(record: dict) -> tuple[int, int]:
    """What a sample's noise is keyed by: samples that share it differ by their guidance alone."""
    return record["seed"], record["index"]
