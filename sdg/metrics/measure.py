"""The noun that every metric speaks in."""

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
    """Of the things that were averaged or counted."""
    interval: tuple[float, float] | None = None
    """Ends of the 95 % bootstrap interval, where there is one."""
    beside: tuple[str, float] | None = None
    """What to compare the value with, and its name: ("unguided", 0.42)."""


class Metric(Protocol):
    """Evidence -> measures. ``protocol`` says in words what is measured, on what and how.

    One on features also has ``features``, the names of their extractors, and one against the reference
    ``compares = True``: what its numbers depend on besides is then added to its protocol. Two runs may share
    a column of a table only where the whole of it is the same.
    """

    protocol: str

    def __call__(self, evidence: Evidence) -> list[Measure]:
        """
        Raises:
            SDGError: the evidence is too small, or lacks what this metric needs.
        """
