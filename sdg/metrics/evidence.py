"""Evidence: a folder of samples and what it is measured with; pictures are read when a metric needs them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.frechet import Moments
from sdg.metrics.judge_features import OUTPUTS
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import Pictures
from sdg.metrics.reader import FeatureReader
from sdg.metrics.statistics import read_statistics
from sdg.metrics.units import Units
from sdg.report.record import aimed

Target = tuple[str | None, str | None]
"""What guides a sample: its prompt and its reference."""


class Evidence:
    """What metrics measure.

    Args:
        samples: pictures of a run, or of any folder.
        reader: reads features; None if no metric needs any. If it keeps what the judge says, that is taken.
        reference: what samples are compared with: pictures, the path of their statistics, or nothing.
        mentions: what prompts ask for.
        judge: loads the judge; called when a metric first needs it.
    """

    def __init__(
        self,
        samples: Pictures,
        mentions: Mentions,
        judge: Callable[[], JudgeReader],
        reader: FeatureReader | None = None,
        reference: Pictures | Path | None = None,
    ):
        self.samples, self.mentions, self.reference = samples, mentions, reference
        self._load_judge, self._reader = judge, reader

    @cached_property
    def judge(self) -> JudgeReader:
        """The judge that never guides."""
        return self._load_judge()

    @cached_property
    def guided(self) -> Judged:
        """Every guided sample, judged: target by target, equally many of each, in order of (seed, index).

        Raises:
            SDGError: the targets have different numbers of samples.
        """
        counts = {len(rows) for rows in self.targets.values()}
        if len(counts) > 1:
            raise SDGError(
                f"some prompts of {self.samples.source} have {min(counts)} samples and some {max(counts)}: "
                "repeat its sample.py command, with a lower guidance.scale if samples became NaN"
            )
        return self._judged.only([row for rows in self.targets.values() for row in rows])

    @cached_property
    def unguided(self) -> Judged:
        """The samples in ``unguided_rows``, judged."""
        return self._judged.only(self.unguided_rows)

    @cached_property
    def targets(self) -> dict[Target, list[int]]:
        """Rows of the guided samples, keyed by what guides them, in order of (seed, index)."""
        rows = defaultdict(list)
        for row, record in enumerate(self.samples.records):
            if aimed(record):
                rows[record["prompt"], record.get("reference")].append(row)
        return {
            target: sorted(those, key=lambda row: _noise(self.samples.records[row]))
            for target, those in rows.items()
        }

    @cached_property
    def unguided_rows(self) -> list[int]:
        """Rows of the samples with scale 0 and no reference, one for each (seed, index)."""
        rows: dict[tuple[int, int], int] = {}
        for row, record in enumerate(self.samples.records):
            if record["scale"] == 0 and record.get("reference") is None:
                rows.setdefault(_noise(record), row)
        return list(rows.values())

    @cached_property
    def rows(self) -> list[int]:
        """Rows that distances between sets are measured on: the guided samples, or all if there are none."""
        guided = [row for rows in self.targets.values() for row in rows]
        return guided or list(range(len(self.samples)))

    @cached_property
    def units(self) -> Units:
        """What the samples in ``rows`` were drawn with."""
        return self.units_of(self.rows)

    def units_of(self, rows: Sequence[int]) -> Units:
        """What some samples were drawn with: prompts, references and noises; or nothing that is known."""
        if not self.samples.records:
            return Units.alone(len(rows))
        records = [self.samples.records[row] for row in rows]
        ways = {"prompt": "prompt", "reference": "reference"}
        drawn = {way: [record.get(key) for record in records] for way, key in ways.items()}
        return Units({**drawn, "noise": [_noise(record) for record in records]})

    @property
    def prompts(self) -> list[str]:
        """The P different prompts, in the order of ``guided``."""
        return list(dict.fromkeys(record["prompt"] for record in self.guided.records))

    def mentioned(self) -> Tensor:
        """(N, A) int64, what each guided sample's prompt mentions; -1: nothing. Raises as ``Mentions``."""
        self.need_guided()
        if None in self.prompts:
            raise SDGError(
                f"some guided samples of {self.samples.source} have no prompt, so nothing says what they "
                "should show: choose metrics for references, such as lpips_alex"
            )
        return self.mentions([record["prompt"] for record in self.guided.records])

    def partners(self) -> Judged:
        """For every guided sample, the unguided one with the same noise.

        Raises:
            SDGError: there is none, or nothing guided.
        """
        self.need_guided()
        return self.unguided.only(self.partner_numbers())

    def partner_numbers(self) -> list[int]:
        """The place of each of :meth:`partners` among ``unguided``; raises SDGError if there is none."""
        records = self.samples.records
        rows = {_noise(records[row]): number for number, row in enumerate(self.unguided_rows)}
        noises = [_noise(records[row]) for targets in self.targets.values() for row in targets]
        if absent := [noise for noise in noises if noise not in rows]:
            seed, index = absent[0]
            raise SDGError(f"no unguided sample has seed {seed} and index {index}: draw with unguided=true")
        return [rows[noise] for noise in noises]

    def by_target(self, values: Tensor) -> Tensor:
        """Reshape (N, ...), a row per guided sample, to (P, n, ...), where P is the number of targets."""
        return values.unflatten(0, (len(self.targets), -1))

    def need_guided(self) -> None:
        """Raise SDGError unless there are guided samples."""
        if not len(self.guided):
            raise SDGError(
                "there are no guided samples to measure: give the folder of a run that has prompts"
            )

    def need_targets(self) -> list[list[int]]:
        """Rows of the guided samples, target by target; raises SDGError if there are none."""
        self._need_records()
        if not self.targets:
            raise SDGError(
                f"there are no guided samples in {self.samples.source}: give the folder of a run that has "
                "prompts or references"
            )
        return list(self.targets.values())

    @property
    def features(self) -> FeatureReader:
        """The reader of features; raises SDGError if there is none."""
        if self._reader is None:
            raise SDGError("there is nothing to read features with: name them in features=[…]")
        return self._reader

    @property
    def reference_pictures(self) -> Pictures:
        """The pictures that samples are compared with; raises SDGError if there are none."""
        if isinstance(self.reference, Pictures):
            return self.reference
        if self.reference is None:
            raise SDGError("there is nothing to hold the samples against: give reference=DIR")
        raise SDGError(f"{self.reference} has no pictures: give the folder of the reference's pictures")

    def reference_moments(self, name: str) -> Moments:
        """Moments of the reference's features; raises SDGError if it has none, or those of other features."""
        if isinstance(self.reference, Path):
            extractor = self.features.extractor(name)
            return read_statistics(self.reference, name, extractor.protocol, extractor.weights)
        return self.features.reference_moments(name, self.reference_pictures)

    @property
    def judged(self) -> bool:
        """Whether a metric has needed the judge."""
        return "judge" in vars(self)

    @cached_property
    def _judged(self) -> Judged:
        every, records = range(len(self.samples)), self._need_records()
        if self._reader is not None and OUTPUTS in self._reader.makers:
            return self.judge.judged(self._reader.features(OUTPUTS, self.samples, every), records)
        return self.judge.read(self.samples.batches(every, self.judge.batch_size), records)

    def _need_records(self) -> list[dict]:
        if not self.samples.records:
            raise SDGError(
                f"{self.samples.source} has no manifest.jsonl, so nothing is known of its samples: give the "
                "output_dir of a sample.py run, or metrics for any pictures, such as fid_inception_tf"
            )
        return list(self.samples.records)


def _noise(record: dict) -> tuple[int, int]:
    """The key of a sample's noise: samples that share it differ only in their guidance."""
    return record["seed"], record["index"]
