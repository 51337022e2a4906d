"""Weights that change as the picture emerges: w_k(progress); progress is 0 in pure noise and 1 at the end."""

import math
from abc import ABC, abstractmethod

from sdg.diffusion.level import Level
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

    def at(self, level: Level) -> float:
        """The weight at a noise level; for a weight that depends on more than progress."""
        return self(level.progress)


class Visible(Weight):
    """``value`` times the visibility of what is asked for, whose mean over the timesteps is made 1.

    The visibility at each noise level is on the encoder's card (:mod:`sdg.guidance.sight`); whoever makes the
    targets of a group of samples multiplies by it. In settings it is also called ``visible``.
    """

    def __init__(self, value: float = 1.0):
        self.value = number(value, "value")

    def __call__(self, progress: float) -> float:
        return self.value


class Window(Weight):
    """``value`` while start <= progress <= stop, else 0."""

    def __init__(self, value: float = 1.0, start: float = 0.0, stop: float = 1.0):
        if not 0 <= number(start, "start") < number(stop, "stop") <= 1:
            raise SDGError(f"a window from {start} to {stop} is empty: use 0 <= start < stop <= 1")
        self.value, self.start, self.stop = number(value, "value"), start, stop

    def __call__(self, progress: float) -> float:
        return self.value if self.start <= progress <= self.stop else 0.0


class NoiseWindow(Window):
    """``value`` at timesteps from ``start``, the noisiest, down to ``stop``, else 0.

    The same as :class:`Window`, which counts progress, in the timesteps that networks are given: those of the
    encoder's card. It suits chains of any length.
    """

    def __init__(self, value: float = 1.0, start: int = 999, stop: int = 0):
        if not 0 <= number(stop, "stop") <= number(start, "start"):
            raise SDGError(f"a window from t={start} down to {stop} is empty: use start >= stop >= 0")
        self.value, self.start, self.stop = number(value, "value"), start, stop

    def __call__(self, progress: float) -> float:
        raise NotImplementedError("a window of noise is read at a noise level")

    def at(self, level: Level) -> float:
        return self.value if self.stop <= level.t <= self.start else 0.0


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
