"""What an ablation gives: a curve for each alternative, over the same values of one setting."""

from collections.abc import Mapping
from typing import NamedTuple

from sdg.metrics.measure import Measure

Values = Mapping[str, Measure | None]
"""Measure by name; None: not for this one."""


class Point(NamedTuple):
    """One run."""

    settings: str
    """Of ``sample.py``, besides the targets."""
    values: Values
    seconds: float | None
    """CPU seconds per image, if somebody looked at the clock."""


class Curves(NamedTuple):
    """An ablation that was measured."""

    name: str
    title: str
    axis: str
    """What the points of a line differ in."""
    lines: dict[str, dict[float, Point]]
    panels: dict[str, str]
    """Measures of the figure, and their titles; the table has all."""
    unguided: Values
    what: str
    """Was drawn, in a sentence."""
    protocols: dict[str, str]
    over: str
    """What the intervals are over."""

    @property
    def at(self) -> list[float]:
        """Where any line has a point, in order."""
        return sorted({x for line in self.lines.values() for x in line})
