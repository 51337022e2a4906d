"""Rarer: asking the encoder less often where a picture hardly changes any more."""

from sdg.diffusion.level import Level
from sdg.errors import SDGError


class Rarer:
    """``guidance.every`` as a function of the noise: each guided step until ``start``, then every so many.

    Args:
        every: at every that many guided steps a gradient is computed, which serves those between.
        start: progress of the chain, from 0 in pure noise to 1, from which on that is so.

    Raises:
        SDGError: no such number of steps, or a start outside of the chain.
    """

    def __init__(self, every: int, start: float):
        self.every = number_of_steps(every)
        if isinstance(start, bool) or not isinstance(start, int | float) or not 0 <= start <= 1:
            raise SDGError(f"guidance.every.start={start} is no progress: use 0 (pure noise) to 1 (the end)")
        self.start = start

    def __call__(self, level: Level) -> int:
        """For how many guided steps a gradient computed before serves, up to one at ``level``."""
        return self.every if level.progress >= self.start else 1


def number_of_steps(every: object) -> int:
    """``every``, if it is one; otherwise raises SDGError."""
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise SDGError(f"guidance.every={every} is no number of steps: use 1 (every step) or more")
    return every
