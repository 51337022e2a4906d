"""By how much one measured value exceeds another, with a 95 % interval."""

from dataclasses import replace
from math import hypot

from sdg.metrics.measure import Measure


def difference(a: Measure, b: Measure) -> Measure:
    """a - b, with an interval where both have one.

    It combines their intervals, [a₋, a₊] and [b₋, b₊], as if they were independent: from
    a - b - √((a - a₋)² + (b₊ - b)²) to a - b + √((a₊ - a)² + (b - b₋)²).

    References:
        Zou & Donner, "Construction of confidence limits about effect measures: a general approach", 2008.
    """
    value = a.value - b.value
    if a.interval is None or b.interval is None:
        return Measure("", value, a.count)
    (a_low, a_high), (b_low, b_high) = a.interval, b.interval
    low = value - hypot(a.value - a_low, b_high - b.value)
    high = value + hypot(a_high - a.value, b.value - b_low)
    return Measure("", value, a.count, (low, high))


def scaled(measure: Measure, share: float) -> Measure:
    """``share`` times a measure."""
    low, high = measure.interval or (0.0, 0.0)
    interval = None if measure.interval is None else (low * share, high * share)
    return replace(measure, value=measure.value * share, interval=interval)
