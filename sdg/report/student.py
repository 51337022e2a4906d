"""Student's t distribution, for whole degrees of freedom, without a library.

References:
    Abramowitz & Stegun, "Handbook of mathematical functions", 1964, eqs. 26.7.3 and 26.7.4.
"""

import math
from functools import cache

_MOST = 2000
"""Degrees of freedom from which on more of them change less than three digits show."""


def beyond(t: float, freedom: int) -> float:
    """The probability that Student's t lies further from 0 than ``t`` >= 0, on either side."""
    freedom = min(freedom, _MOST)
    angle = math.atan2(t, math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for i in range(1 + odd, freedom, 2):  # 1, 1/2 cos², 1·3/2·4 cos⁴, …; for odd ones cos, 2/3 cos³, …
        total += term
        term *= square * i / (i + 1)
    within = sine * total if not odd else (angle + sine * total) * 2 / math.pi
    return 1 - within


@cache
def quantile(freedom: int, level: float = 0.95) -> float:
    """How far from 0 Student's t lies at most with probability ``level``, for ``freedom`` >= 1."""
    low, high = 0.0, 1.0
    while beyond(high, freedom) > 1 - level:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle, freedom) > 1 - level else (low, middle)
    return high
