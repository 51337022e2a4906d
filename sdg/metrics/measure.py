"""The type that every metric returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Error, Interval, Spread, interval, square_interval, unknown


@dataclass(frozen=True)
class Measure:
    """One number and what is needed to read it."""

    name: str
    """What was measured, within its metric; empty when the metric measures one thing only."""
    value: float
    count: int
    """Number of things averaged or counted."""
    interval: tuple[float, float] | None = None
    """Ends of the 95 % interval, where there is one."""
    beside: tuple[str, float] | None = None
    """What to compare the value with, and its name: ("unguided", 0.42)."""
    over: str = ""
    """What varied by chance, which the interval is over: "100 prompts × 10 noises"."""
    unknown: str = ""
    """Why there is no interval."""
    spreads: tuple[Spread, ...] = field(default=(), repr=False, compare=False)
    """What the value's error is made of, for differences from other measures; see :mod:`~.intervals`."""


def measured(
    name: str,
    value: float,
    count: int,
    *spreads: Spread,
    beside: tuple[str, float] | None = None,
    ends_of: Callable[..., Interval | None] = interval,
) -> Measure:
    """A measure with the interval that its spreads give, by ``ends_of`` such as :func:`share_interval`."""
    ends = ends_of(value, *spreads)
    over, why = " and ".join(filter(None, map(str, spreads))), "" if ends else unknown(value, *spreads)
    return Measure(name, value, count, ends, beside, over, why, spreads)


def rooted(name: str, square: float, count: int, *spreads: Spread, by_chance: float) -> Measure:
    """The root of an estimated square, or 0 where that is negative; so are the ends of its interval.

    A root moves by dx / 2√x; near 0, by no more than the square's own error lets it.

    Args:
        by_chance: the square that chance alone gives, which was subtracted.
    """
    ends = square_interval(square, *spreads, chance=by_chance)
    roots = ends and (max(ends[0], 0.0) ** 0.5, max(ends[1], 0.0) ** 0.5)
    steepness = 1 / (2 * max(square, Error.of(*spreads).size, 1e-12) ** 0.5)
    own = tuple(each.scaled(steepness) for each in spreads)
    beside, why = ("by chance", by_chance**0.5), "" if ends else unknown(square, *spreads)
    return Measure(name, max(square, 0.0) ** 0.5, count, roots, beside, str(spreads[0]), why, own)


class Metric(Protocol):
    """Evidence -> measures. ``protocol`` says in words what is measured, on what and how.

    A metric on features also has ``features``, the names of their extractors, one against the reference has
    ``compares = True``, and one by any judge ``judges = True``: what else its numbers depend on is then added
    to its protocol. Two runs may share
    a column of a table only if their full protocols are the same.
    """

    protocol: str

    def __call__(self, evidence: Evidence) -> list[Measure]:
        """
        Raises:
            SDGError: the evidence is too small, or lacks what this metric needs.
        """
