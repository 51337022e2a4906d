"""The type that every metric returns."""

from dataclasses import dataclass
from typing import Protocol

from sdg.metrics.evidence import Evidence


@dataclass(frozen=True)
class Measure:
    """One number and what is needed to read it."""

    name: str
    """What was measured, within its metric; empty when the metric measures one thing only."""
    value: float
    count: int
    """Number of things averaged or counted."""
    interval: tuple[float, float] | None = None
    """Ends of the 95 % bootstrap interval, where there is one."""
    beside: tuple[str, float] | None = None
    """What to compare the value with, and its name: ("unguided", 0.42)."""


class Metric(Protocol):
    """Evidence -> measures. ``protocol`` says in words what is measured, on what and how.

    A metric on features also has ``features``, the names of their extractors, and one against the reference
    has ``compares = True``: what else its numbers depend on is then added to its protocol. Two runs may share
    a column of a table only if their full protocols are the same.
    """

    protocol: str

    def __call__(self, evidence: Evidence) -> list[Measure]:
        """
        Raises:
            SDGError: the evidence is too small, or lacks what this metric needs.
        """
