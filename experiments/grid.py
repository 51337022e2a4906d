"""The general experiment: ways to draw, side by side, towards the same prompts from the same noises.

A way is a name and settings of ``sample.py``. A :class:`Study` draws it, resuming any earlier run, and has
``evaluate.py`` measure it. What comes of that is a :class:`Point`; pages (:mod:`.pages`) and figures
(:mod:`.plotting`) are made of points. An experiment of this kind is a list of ways, a study, and what its
table and figure show.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from experiments.differences import difference
from experiments.pages import cell, table
from experiments.parts import gathered, merge
from experiments.running import configuration, draw, named, some
from experiments.text_alignment.prompts import HELD_OUT
from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.metrics.measure import Measure
from sdg.metrics.run import evaluate

Columns = Mapping[str, tuple[str, str]]
"""Measure -> its title in a table, and the format of its values."""


class Drawable(Protocol):
    """What a study can draw."""

    @property
    def name(self) -> str:
        """Of its row; of its folder, with dashes for what a file's name should not have."""

    @property
    def settings(self) -> Sequence[str]:
        """Of ``sample.py``, without targets and noises."""

    @property
    def told(self) -> Sequence[str]:
        """What tells it from others, cell by cell of its row; none: its name."""


class Way(NamedTuple):
    """The plainest."""

    name: str
    settings: Sequence[str]
    told: Sequence[str] = ()


W = TypeVar("W", bound=Drawable)


class Point(NamedTuple, Generic[W]):
    """A way, drawn and measured."""

    way: W
    measures: Mapping[str, Measure]
    """``metric/name`` -> measure, as in ``metrics.json``."""
    report: Mapping = {}
    """All of ``metrics.json``: ``counts``, ``versions``, ``protocols``."""
    folder: Path = Path()
    """Its run."""

    @property
    def size(self) -> str:
        """How much was drawn, in words."""
        counts = self.report["counts"]
        kind, count = "prompts" if counts["prompts"] else "references", counts["targets"]
        return f"{count} {kind}, {counts['guided'] // count} samples of each"

    def value(self, name: str) -> float:
        return self.measures[name].value

    def ends(self, name: str) -> tuple[float, float]:
        """Of the 95 % interval; twice the value where there is none."""
        measure = self.measures[name]
        return measure.interval or (measure.value, measure.value)

    def cells(self, columns: Columns, beside: bool = False) -> list[str]:
        """Measures as :func:`~experiments.pages.cell` writes them."""
        return [cell(self.measures.get(name), form, beside) for name, (_, form) in columns.items()]

    def more(self, other: "Point", name: str) -> Measure:
        """By how much this exceeds another; prompts and noises that both share count as drawn once."""
        return difference(self.measures[name], other.measures[name])


class Study:
    """Targets, noises and measures that all ways share.

    Args:
        options: of the command line: ``output``, ``sample``, ``evaluate``, and the sizes below, as
            :func:`~experiments.command.add_sizes` names them.
        metrics: settings of ``evaluate.py`` that choose what is measured.
        pool: the file of prompts, which also says what they mention.
        aims: what ways aim at instead: targets, by their setting of ``sample.py``, prompts or references.
        sizes: in place of those of the command line. ``prompts``: how many of the file, evenly spaced; None:
            all. ``samples``: pictures of each. ``seed``: of the first noise. ``parts``: deal the targets to
            this many runs, each with noises of its own, so that the measures rest on more of them; the
            unguided samples are then those of the configured sampler, drawn once for all ways. None: one run,
            with unguided samples of the same settings.

    Raises:
        SDGError: targets that cannot be dealt to the parts evenly.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        metrics: Sequence[str],
        pool: Path = HELD_OUT,
        aims: Mapping[str, Sequence[str]] | None = None,
        **sizes: int | None,
    ):
        size = dict.fromkeys(("prompts", "parts")) | vars(options) | sizes
        self.output, self.sample, self.evaluate = options.output, options.sample, options.evaluate
        self.metrics, self.pool = metrics, pool
        self.samples, self.seed, self.parts = size["samples"], size["seed"], size["parts"]
        if aims is None:
            aims = {"prompts": read_prompts(pool) if size["prompts"] is None else some(pool, size["prompts"])}
        self.aims = aims
        for kind, targets in self.aims.items():
            if self.parts is not None and len(targets) % self.parts:
                raise SDGError(
                    f"{len(targets)} {kind} cannot be dealt to {self.parts} parts evenly: change --parts"
                )

    def __call__(self, way: W) -> Point[W]:
        """Draw a way, or what is left of it, and measure it."""
        name = way.name.replace(", ", "_").replace(" ", "-").replace(":", "-")
        folder = self._whole(name, way) if self.parts is None else self._merged(name, way, self.parts)
        return self.measured(way, folder)

    def measured(self, way: W, folder: Path) -> Point[W]:
        """Measure pictures that are in a folder already, as those of a way."""
        words = [f"samples='{folder}'", f"mentions='{self.pool}'", *self.metrics, *self.evaluate]
        found = evaluate(configuration("evaluate", words)).whole()
        return Point(way, found.measures, found.report, folder)

    def all(self, ways: Sequence[W]) -> list[Point[W]]:
        """The same for each way, telling which one is at work."""
        points = []
        for number, way in enumerate(ways, start=1):
            print(f"{number} of {len(ways)}: {way.name}", flush=True)
            points.append(self(way))
        return points

    def _whole(self, name: str, way: Drawable) -> Path:
        own = [*way.settings, *self._aimed(0, 1), f"seed={self.seed}"]
        return self._drawn(name, own)

    def _merged(self, name: str, way: Drawable, parts: int) -> Path:
        """One run for each part, put together with the unguided samples of the same noises."""
        seeds = range(self.seed, self.seed + parts)
        runs = [
            self._drawn(
                f"parts/{name}_{part}",
                [*way.settings, *self._aimed(part, parts), f"seed={seed}", "unguided=false"],
            )
            for part, seed in enumerate(seeds)
        ]
        free = [
            self._drawn(f"parts/unguided_{part}", ["method=unguided", f"seed={seed}", "unguided=false"])
            for part, seed in enumerate(seeds)
        ]
        merge(self.output / name, runs, way.name, gathered(free))
        return self.output / name

    def _aimed(self, part: int, parts: int) -> list[str]:
        """Settings with one part's targets."""
        sizes = {kind: len(targets) // parts for kind, targets in self.aims.items()}
        return [named(kind, self.aims[kind][part * n : (part + 1) * n]) for kind, n in sizes.items()]

    def _drawn(self, name: str, own: Sequence[str]) -> Path:
        # What is compared wins over what all ways share.
        words = ["batch_size=32", *self.sample, *own, f"samples_per_prompt={self.samples}"]
        return draw(self.output / name, words)


def listed(
    heads: Sequence[str],
    points: Sequence[Point[W]],
    columns: Columns,
    more: Mapping[str, Callable[[Point[W]], str]] | None = None,
    beside: bool = False,
) -> list[str]:
    """A table with a row for each point.

    Args:
        heads: of what tells the ways.
        more: further columns, by their titles.
        beside: write what measures are compared with, too.
    """
    titles = [*heads, *(title for title, _ in columns.values()), *(more or {})]
    rows = [
        [
            *(p.way.told or [p.way.name]),
            *p.cells(columns, beside),
            *(tell(p) for tell in (more or {}).values()),
        ]
        for p in points
    ]
    return table(titles, rows, left=len(heads))


SPREAD_TO_KEEP = 0.8
"""Of unguided samples, in what no prompt mentions."""


def choose(points: Sequence[Point[W]]) -> Point[W]:
    """The point with the most pictures right in everything, among those that keep the nuisances' spread; of
    equals, the first."""
    return max(points, key=lambda p: (min(p.value("spread/all"), SPREAD_TO_KEEP), p.value("alignment/all")))
