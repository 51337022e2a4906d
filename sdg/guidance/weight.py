"""Weights that change as the picture emerges: w_k(progress); progress is 0 in pure noise and 1 at the end."""

import math
from abc import ABC, abstractmethod

from sdg.errors import SDGError


def number(value: object, name: str) -> float:
    """``value``, if it is a finite number; otherwise raises SDGError naming ``name``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SDGError(f"{name}={value} is not a number: use for example 1.0")
    return value


class Weight(ABC):
    """w_k(progress). A weight that never changes is a plain number."""

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """The weight once ``progress`` (0 to 1) of the chain's timesteps are done."""


class Window(Weight):
    """``value`` while start <= progress <= stop, else 0."""

    def __init__(self, value: float = 1.0, start: float = 0.0, stop: float = 1.0):
        if not 0 <= number(start, "start") < number(stop, "stop") <= 1:
            raise SDGError(f"a window from {start} to {stop} is empty: use 0 <= start < stop <= 1")
        self.value, self.start, self.stop = number(value, "value"), start, stop

    def __call__(self, progress: float) -> float:
        return self.value if self.start <= progress <= self.stop else 0.0


class Linear(Weight):
    """From ``first`` to ``last`` in a straight line."""

    def __init__(self, first: float, last: float):
        self.first, self.last = number(first, "first"), number(last, "last")

    def __call__(self, progress: float) -> float:
        return self.first + (self.last - self.first) * progress


class Cosine(Weight):
    """From ``first`` to ``last`` along half a cosine: slow at both ends."""

    def __init__(self, first: float, last: float):
        self.first, self.last = number(first, "first"), number(last, "last")

    def __call__(self, progress: float) -> float:
        return self.first + (self.last - self.first) * (1 - math.cos(math.pi * progress)) / 2
