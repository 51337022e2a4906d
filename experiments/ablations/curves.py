"""The result of an ablation: a curve for each alternative, over the same values of one setting."""

from collections.abc import Mapping
from typing import NamedTuple

from sdg.metrics.measure import Measure

Values = Mapping[str, Measure | None]
"""Measure by name; None: does not apply."""


class Point(NamedTuple):
    """One run."""

    settings: str
    """For ``sample.py``, without the targets."""
    values: Values
    seconds: float | None
    """CPU seconds per image, if the run was timed."""


class Curves(NamedTuple):
    """A measured ablation."""

    name: str
    title: str
    axis: str
    """What varies along a line."""
    lines: dict[str, dict[float, Point]]
    panels: dict[str, str]
    """Measures in the figure, and their titles; the table has all."""
    unguided: Values
    what: str
    """What was drawn, in a sentence."""
    protocols: dict[str, str]
    over: str
    """What the intervals are over."""

    @property
    def at(self) -> list[float]:
        """Where any line has a point, in order."""
        return sorted({x for line in self.lines.values() for x in line})
