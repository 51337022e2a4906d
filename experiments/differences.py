"""By how much one measured value exceeds another, with a 95 % interval, and whether that could be chance."""

from collections.abc import Sequence
from dataclasses import replace

from sdg.metrics.intervals import Error, Spread
from sdg.metrics.measure import Measure, measured
from sdg.report.student import beyond


def difference(a: Measure, b: Measure) -> Measure:
    """a - b, with an interval where both have one.

    Where both are of the same prompts or noises, these move both, and the difference by less: groups of one
    name are taken as drawn once. Measures over other things are independent. A constant has no spread.
    """
    value = a.value - b.value
    if any(each.interval is None and not constant(each) for each in (a, b)):
        return Measure("", value, a.count)
    return measured("", value, a.count, *_apart(a.spreads, b.spreads))


def constant(measure: Measure) -> bool:
    """Whether a value was not measured but is known, such as chance."""
    return not measure.count


def scaled(measure: Measure, share: float) -> Measure:
    """``share`` times a measure."""
    low, high = measure.interval or (0.0, 0.0)
    return replace(
        measure,
        value=measure.value * share,
        interval=None if measure.interval is None else (low * share, high * share),
        spreads=tuple(each.scaled(share) for each in measure.spreads),
    )


def chance(apart: Measure) -> float | None:
    """The probability that a difference is at least as large by chance, if there is none; two-sided."""
    error = Error.of(*apart.spreads) if apart.spreads else None
    if error is None or apart.interval is None:
        return None
    return beyond(abs(apart.value) / error.size, error.freedom) if error.size > 0 else float(not apart.value)


def holm(chances: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which of many differences are real, so that with probability 1 - ``level`` none is said to be in error.

    References:
        Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    real = [False] * len(chances)
    for rank, number in enumerate(sorted(range(len(chances)), key=lambda i: chances[i])):
        if chances[number] > level / (len(chances) - rank):
            break
        real[number] = True
    return real


def _apart(a: Sequence[Spread], b: Sequence[Spread]) -> list[Spread]:
    """Samples with samples, the reference with the reference, as far as they are grouped in the same ways."""
    found = []
    for mine, its in zip(a, b, strict=False):
        both = mine.minus(its)
        found += [mine, its.scaled(-1)] if both is None else [both]
    shared = min(len(a), len(b))
    return [*found, *a[shared:], *(each.scaled(-1) for each in b[shared:])]
