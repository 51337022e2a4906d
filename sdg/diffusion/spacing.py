r"""Spacings: at which times of its schedule a chain of n steps stops.

===========  ================================================  ==========================================
spacing      the times                                         source
===========  ================================================  ==========================================
ADM          evenly in timesteps, both ends included           Nichol & Dhariwal 2021
Trailing     evenly in t, from the noisiest, each step alike   Lin et al. 2024; what flow models take
Karras       evenly in (σ/α)^(1/ρ)                             Karras et al. 2022, eq. 5
LogSNR       evenly in λ                                       Lu et al. 2022
===========  ================================================  ==========================================

A schedule of timesteps is stopped at its timesteps alone, on which its network was trained: at those nearest
in λ, at none twice.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, repeat

from sdg.diffusion.schedule import NoiseSchedule, Schedule, VarianceExploding
from sdg.diffusion.steps import Steps
from sdg.errors import SDGError


class Spacing(ABC):
    """A choice of times."""

    @abstractmethod
    def __call__(self, schedule: Schedule, steps: int | str) -> tuple[float, ...]:
        """As many times of ``schedule`` as there are steps, ascending.

        Raises:
            SDGError: no such number of steps.
        """


class ADM(Spacing):
    """:func:`respace`: a whole number, ``"10,10,20"`` or ``"ddim25"``. For schedules of timesteps.

    With few steps, either end may be worth none of its own: where nothing of a picture is seen yet, pure
    noise is as good a state as any; where next to no noise is left, the picture expected is the picture.

    Args:
        first: the timestep at which the chain begins; None: the noisiest.
        last: the one from which it goes to the finished picture.

    Raises:
        SDGError: these are not two timesteps in this order.
    """

    def __init__(self, first: int | None = None, last: int = 0):
        if first is not None and (isinstance(first, bool) or not isinstance(first, int) or first < 1):
            raise SDGError(f"sampler.spacing.first={first} is no timestep: use for example 900, or null")
        if isinstance(last, bool) or not isinstance(last, int) or last < 0:
            raise SDGError(f"sampler.spacing.last={last} is no timestep: use 0, or for example 40")
        self.first, self.last = first, last

    def __call__(self, schedule: Schedule, steps: int | str) -> tuple[int, ...]:
        if not isinstance(schedule, NoiseSchedule):
            raise SDGError(
                f"ADM's spacing counts timesteps, and a {type(schedule).__name__} has none: "
                "use sampler.spacing=null, or Karras, LogSNR or Trailing"
            )
        first = len(schedule) - 1 if self.first is None else self.first
        if not self.last < first < len(schedule):
            raise SDGError(
                f"a chain from timestep {first} to {self.last} does not fit {len(schedule)} of them: choose "
                f"sampler.spacing.last < sampler.spacing.first <= {len(schedule) - 1}"
            )
        return tuple(self.last + t for t in respace(first + 1 - self.last, steps))


class Trailing(Spacing):
    """n equal steps of t, the first from the noisiest time: T-1, T-1 - T/n, … of T timesteps."""

    def __call__(self, schedule: Schedule, steps: int | str) -> tuple[float, ...]:
        n = _whole(schedule, steps)
        if isinstance(schedule, NoiseSchedule):
            return tuple(round(len(schedule) * i / n) - 1 for i in range(1, n + 1))
        least, most = schedule.ends
        return tuple(max(least, most * i / n) for i in range(1, n + 1))


class Karras(Spacing):
    """(σ/α)^(1/ρ) in equal steps from end to end; 0 comes after the last of them.

    Args:
        rho: ρ: the larger, the more steps at little noise.
    """

    def __init__(self, rho: float = 7.0):
        if not rho > 0:
            raise SDGError(f"sampler.spacing.rho={rho} is no exponent: use 7, or another number above 0")
        self.rho = rho

    def __call__(self, schedule: Schedule, steps: int | str) -> tuple[float, ...]:
        ends = schedule.clearest.log_snr, schedule.noisiest.log_snr
        first, last = (math.exp(-log_snr / self.rho) for log_snr in ends)
        roots = _even(first, last, _whole(schedule, steps))
        return _stops(schedule, [-self.rho * math.log(root) for root in roots])


class LogSNR(Spacing):
    """λ in equal steps from end to end."""

    def __call__(self, schedule: Schedule, steps: int | str) -> tuple[float, ...]:
        first, last = schedule.clearest.log_snr, schedule.noisiest.log_snr
        return _stops(schedule, _even(first, last, _whole(schedule, steps)))


def usual(schedule: Schedule) -> Spacing:
    """What models of such a schedule are usually drawn with."""
    if isinstance(schedule, NoiseSchedule):
        return ADM()
    return Karras() if isinstance(schedule, VarianceExploding) else Trailing()


def _even(first: float, last: float, n: int) -> list[float]:
    """n numbers from ``first`` to ``last``, both included; for one, the last."""
    return [last] if n == 1 else [first + (last - first) * i / (n - 1) for i in range(n)]


def _stops(schedule: Schedule, log_snrs: Sequence[float]) -> tuple[float, ...]:
    """The times of these λ, which fall."""
    times = [schedule.time(log_snr) for log_snr in log_snrs]
    if not isinstance(schedule, NoiseSchedule):
        return tuple(times)
    kept, left = list[int](), len(times)
    for t in times:
        least, left = (kept[-1] + 1 if kept else 0), left - 1
        kept.append(min(max(round(t), least), len(schedule) - 1 - left))
    return tuple(kept)


def _whole(schedule: Schedule, steps: int | str) -> int:
    if not str(steps).isdecimal() or not int(steps):
        raise SDGError(f"sampler.steps={steps} is not a number of steps: use for example 20")
    if isinstance(schedule, NoiseSchedule) and int(steps) > len(schedule):
        total = len(schedule)
        raise SDGError(f"sampler.steps={steps} is more than the schedule's {total}: use {total} or fewer")
    return int(steps)


def respace(total: int, steps: int | str) -> tuple[int, ...]:
    """The kept timesteps in ascending order: ``respace(1000, 100)`` is 0, 10, 20, 30, 40, 50, 61, …, 999."""
    counts, ddim = Steps.read(steps)
    n = sum(counts)
    if n > total:
        raise SDGError(f"sampler.steps={steps} is more than the schedule's {total}: use {total} or fewer")
    if ddim:
        strides = (stride for stride in range(1, total) if len(range(0, total, stride)) == n)
        stride = next(strides, None)
        if stride is None:
            raise SDGError(
                f"no stride visits exactly {n} of {total} timesteps: use sampler.steps={n} instead"
            )
        return tuple(range(0, total, stride))
    if counts == (1,):  # ADM would keep 0, from which nothing can be drawn
        return (total - 1,)
    # As equal as they can be, the first ones longer by one.
    sizes = [total // len(counts) + (i < total % len(counts)) for i in range(len(counts))]
    starts = accumulate(sizes[:-1], initial=0)
    return tuple(
        start + position
        for start, size, count in zip(starts, sizes, counts, strict=True)
        for position in _spread(size, count, steps)
    )


def _spread(size: int, count: int, steps: int | str) -> list[int]:
    """``count`` of ``size`` timesteps, spread evenly, both ends included; for one, the first."""
    if count > size:
        raise SDGError(
            f"sampler.steps={steps} wants {count} steps of a section of {size}: ask for fewer there"
        )
    # Accumulated, not multiplied, as in ADM: where a position falls midway, rounding errors decide.
    stride = (size - 1) / (count - 1) if count > 1 else 1
    return [round(position) for position in accumulate(repeat(stride, count - 1), initial=0.0)]
