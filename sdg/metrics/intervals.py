r"""Intervals over what was drawn independently: prompts, references and noises, crossed.

Samples that share a prompt, a reference or a noise are alike, so they tell less than as many independent ones
would. An estimate is described by how much every sample contributes to its error, θ̂ - θ ≈ Σ c_i. For each way
in which samples are grouped, the contributions of a group add up first:

.. math:: V_F = \frac{G}{G-1} \sum_{g=1}^{G} \Big(\sum_{i \in g} c_i\Big)^2

With two ways, V = V_prompt + V_noise - V_both, where "both" groups what shares both; with three, likewise by
inclusion and exclusion. V is at least each V_F alone. Ways with a single group say nothing, and are left out.

References:
    | Cameron, Gelbach & Miller, "Robust inference with multiway clustering", 2011
    | Efron & Stein, "The jackknife estimate of variance", 1981
    | Wilson, "Probable inference, the law of succession, and statistical inference", 1927
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.metrics.units import Grouping, Units
from sdg.report.student import quantile

Interval = tuple[float, float]
_ROUNDING = 1e-9
"""An error below this share of a value is 0 but for rounding."""


class Part(NamedTuple):
    """What each group of a grouping contributes to an estimate's error."""

    grouping: Grouping
    sums: Tensor
    """(G,) float64"""

    @property
    def variance(self) -> float:
        """V_F."""
        return float(self.sums.square().sum()) * len(self.sums) / (len(self.sums) - 1)


class Spread:
    """What an estimate's error is made of.

    Args:
        parts: one for each grouping of the things that the estimate is made from; none if nothing varies.
    """

    def __init__(self, parts: Sequence[Part]):
        self.parts = list(parts)

    @classmethod
    def of(cls, units: Units, contributions: Tensor) -> "Spread":
        """From the contribution (N,) of each thing."""
        return cls([Part(each, each.sum(contributions.double())) for each in units.groupings])

    @classmethod
    def without(cls, units: Units, lost: Sequence[Tensor]) -> "Spread":
        """From what the estimate would lose without each group, (G,) for every grouping, as a jackknife."""
        parts = []
        for grouping, each in zip(units.groupings, lost, strict=True):
            centred = (each.double() - each.double().mean()) * (len(each) - 1) / len(each)
            parts.append(Part(grouping, centred))
        return cls(parts)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        """What varies, in words: "100 prompts × 10 noises"."""
        return " × ".join(f"{len(part.sums)} {part.grouping.ways[0]}s" for part in self.single)

    def scaled(self, factor: float) -> "Spread":
        """That of ``factor`` times the estimate."""
        return Spread([Part(part.grouping, factor * part.sums) for part in self.parts])

    def minus(self, other: "Spread") -> "Spread | None":
        """That of this estimate minus another, where groups of one name were drawn once.

        None if the two are not grouped in the same ways, as a row of prompts and one of references.
        """
        its = {part.grouping.ways: part for part in other.parts}
        if [part.grouping.ways for part in self.parts] != [*its]:
            return None
        return Spread([_minus(part, its[part.grouping.ways]) for part in self.parts])

    @property
    def variance(self) -> float:
        """V."""
        signed = (part.variance * (-1) ** (len(part.grouping.ways) + 1) for part in self.parts)
        return max([sum(signed), *(part.variance for part in self.single)], default=0.0)

    @property
    def single(self) -> list[Part]:
        """The parts of single ways."""
        return [part for part in self.parts if len(part.grouping.ways) == 1]

    @property
    def least(self) -> int:
        """The fewest groups that a way has."""
        return min(len(part.sums) for part in self.single)


class Error(NamedTuple):
    """The standard error of an estimate and its degrees of freedom."""

    size: float
    freedom: int

    @classmethod
    def of(cls, *spreads: Spread) -> "Error":
        """From what varies independently, such as samples and a reference; its freedom is Satterthwaite's."""
        total = sum(spread.variance for spread in spreads)
        singles = [(part.variance, len(part.sums) - 1) for spread in spreads for part in spread.single]
        squares = sum(own**2 / freedom for own, freedom in singles)
        least = min((freedom for own, freedom in singles if own > 0), default=1)
        return cls(math.sqrt(total), max(int(total**2 / squares) if squares > 0 else 1, least))

    def reach(self, level: float = 0.95) -> float:
        """How far the ends of an interval are from the estimate."""
        return self.size * quantile(self.freedom, level) if self.size > 0 else 0.0


def unknown(value: float, *spreads: Spread) -> str:
    """Why there is no interval by :func:`interval`; empty where there is one.

    An error of 0 is not certainty: of two samples of one prompt, say, one without the other tells nothing.
    """
    if not any(spreads):
        return "one sample alone says nothing of chance"
    if Error.of(*spreads).size <= _ROUNDING * abs(value):
        return "too few or too uniform samples to say how much chance moves it"
    return ""


def interval(value: float, *spreads: Spread, level: float = 0.95) -> Interval | None:
    """The value ± Student's t times its standard error; None if that is :func:`unknown`."""
    if unknown(value, *spreads):
        return None
    reach = Error.of(*spreads).reach(level)
    return value - reach, value + reach


def square_interval(
    value: float, *spreads: Spread, chance: float = 0.0, level: float = 0.95
) -> Interval | None:
    """The interval of an estimated squared distance, which errs further above than below.

    The distance itself, its root, errs alike on both sides: its interval, squared, is that of
    :func:`interval` moved up by reach² / 4 square; where sets can hardly be told apart, by no more than the
    square.

    Args:
        chance: what was subtracted from the square, as chance alone gives so much.
    """
    if (ends := interval(value, *spreads, level=level)) is None:
        return None
    square = max(value, 0.0) + chance
    up = min((ends[1] - value) ** 2 / (4 * square), square) if square > 0 else 0.0
    return ends[0] + up, ends[1] + up


def share_interval(share: float, *spreads: Spread, level: float = 0.95) -> Interval | None:
    """Wilson's interval for as many independent things as would give the share its standard error.

    A share of 0 or 1, where nothing seems to vary, is as sure as one of the fewest groups that a way has.
    """
    if not any(spreads):
        return None
    error = Error.of(*spreads)
    if error.size > 0 and 0 < share < 1:
        count, t = share * (1 - share) / error.size**2, quantile(error.freedom, level)
    else:
        count = min(spread.least for spread in spreads if spread)
        t = quantile(int(count) - 1, level)
    middle = (share + t**2 / (2 * count)) / (1 + t**2 / count)
    reach = t / (1 + t**2 / count) * math.sqrt(share * (1 - share) / count + t**2 / (4 * count**2))
    # At the ends but for rounding.
    return max(middle - reach, 0.0) if share > 0 else 0.0, min(middle + reach, 1.0) if share < 1 else 1.0


def mean_spread(units: Units, values: Tensor) -> Spread:
    """That of the mean of values (N,)."""
    return Spread.of(units, (values.double() - values.double().mean()) / len(values))


def ratio_spread(units: Units, above: Tensor, below: Tensor) -> Spread:
    """That of Σ above / Σ below, for (N,) each."""
    above, below = above.double(), below.double()
    return Spread.of(units, (above - above.sum() / below.sum() * below) / below.sum())


def _minus(part: Part, other: Part) -> Part:
    total = dict(zip(part.grouping.keys, part.sums.tolist(), strict=True))
    for key, value in zip(other.grouping.keys, other.sums.tolist(), strict=True):
        total[key] = total.get(key, 0.0) - value
    grouping = Grouping(part.grouping.ways, [*total], torch.arange(len(total)))
    return Part(grouping, torch.tensor([*total.values()], dtype=torch.float64))
