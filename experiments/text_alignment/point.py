"""A point of the sweep, and which one to choose."""

from collections.abc import Sequence
from typing import NamedTuple

SPREAD_TO_KEEP = 0.8


class Point(NamedTuple):
    """One guidance scale, and the report of its evaluation."""

    scale: float
    steps: int
    report: dict

    def value(self, name: str) -> float:
        return self.report["measures"][name]["value"]

    def interval(self, name: str) -> tuple[float, float]:
        """Ends of the 95 % interval; the value itself where there is none."""
        measure = self.report["measures"][name]
        low, high = measure.get("interval", (measure["value"], measure["value"]))
        return low, high

    def beside(self, name: str) -> tuple[str, float] | None:
        """Name and value of what to compare the value with."""
        return next(iter(self.report["measures"][name].get("beside", {}).items()), None)


def choose(points: Sequence[Point]) -> Point:
    """The scale with the most samples right in everything, among those that keep the nuisances' spread."""
    return max(points, key=lambda p: (min(p.value("spread/all"), SPREAD_TO_KEEP), p.value("alignment/all")))
