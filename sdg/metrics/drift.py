"""Drift: does guidance move attributes that the prompt does not mention?"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.exchange import at_least, lots
from sdg.metrics.intervals import Error, Spread, interval, unknown
from sdg.metrics.measure import Measure, rooted
from sdg.metrics.units import Units


class Drift:
    """Total variation between guided and unguided samples, of each attribute that a prompt does not mention.

    Of few samples, the total variation is above 0 though nothing has moved. Were that so, either of two
    samples with the same noise could as well be the guided one; exchanging them at random shows what chance
    gives. As errors add up in squares, drift = √(n / (n - 1) mean (TV² - TV² by chance)), or 0, with the mean
    over prompts of n samples each. ``all`` is the mean over attributes.
    """

    protocol = (
        "total variation ½ Σ |share guided - share unguided| of the values, as the judge reads them, of each "
        "attribute that a prompt does not mention, against unguided samples of the same noise; root of the "
        "mean of its square over prompts, less that by chance, which is the same with guided and unguided "
        "exchanged at random, by 1 - 1/n of n samples; 95 % intervals over prompts and noises"
    )
    judges = True

    def __call__(self, evidence: Evidence) -> list[Measure]:
        silent = evidence.by_target(evidence.mentioned())[:, 0] < 0
        guided, unguided = (
            evidence.by_target(each.attributes) for each in (evidence.guided, evidence.partners())
        )
        samples = guided.shape[1]
        if samples < 2:
            raise SDGError("drift needs two samples of a prompt: draw with a larger samples_per_prompt")
        if not silent.any():
            raise SDGError("every prompt mentions everything, so nothing can drift: leave drift out")
        kept = silent.any(dim=0)
        names, sizes = list(evidence.judge.attributes), [*map(len, evidence.judge.attributes.values())]
        changes = _one_hot(guided, sizes) - _one_hot(unguided, sizes)
        signs = lots(evidence)
        total, exchanged = changes.sum(dim=1), signs @ changes
        squares = _squares(total, exchanged, samples, sizes)
        by_chance = _variation(exchanged / samples, sizes).square()  # (P, R, A)
        weight = silent.double() / silent.sum(dim=0).clamp(min=1)
        mean, chance = (weight * squares).sum(dim=0), (weight * by_chance.mean(dim=1)).sum(dim=0)
        own = _contributions(changes, signs, squares, sizes)
        parts = ((own + squares[:, None] - mean) * weight[:, None]).flatten(0, 1) / samples
        null = (weight[:, None] * by_chance).sum(dim=0) * samples / (samples - 1)  # (R, A)

        counts = silent.sum(dim=0) * samples
        moved = [
            _Moved(name, float(mean[i]), float(chance[i]), int(counts[i]), parts[:, i], null[:, i])
            for i, name in enumerate(names)
            if kept[i]
        ]
        measures = [
            rooted(each.name, each.square, each.count, *each.spreads(evidence.units), by_chance=each.chance)
            for each in moved
        ]
        return [_mean(moved, measures, evidence.units), *measures]


class _Moved(NamedTuple):
    """The square of an attribute's drift."""

    name: str
    square: float
    chance: float
    """What chance alone gives, which was subtracted."""
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody misses
    parts: Tensor
    """(N,) what each sample contributes to its error."""
    null: Tensor
    """(R,) what it would be after each exchange, but for a constant."""

    def spreads(self, units: Units) -> tuple[Spread, ...]:
        return at_least(Spread.of(units, self.parts), self.null)


def _squares(total: Tensor, exchanged: Tensor, samples: int, sizes: list[int]) -> Tensor:
    """TV² less that by chance, without bias: (P, A).

    Args:
        total: (P, V), the sum of the samples' changes.
        exchanged: (P, R, V), the same with pairs exchanged.
    """
    moved, chance = _variation(total, sizes).square(), _variation(exchanged, sizes).square().mean(dim=1)
    return (moved - chance) / (samples * (samples - 1))


def _contributions(changes: Tensor, signs: Tensor, squares: Tensor, sizes: list[int]) -> Tensor:
    """What each sample contributes to the error of its prompt's square: (P, n, A).

    It is found by leaving the sample out. Of two samples, one without the other tells nothing.
    """
    samples = changes.shape[1]
    if samples < 3:
        return torch.zeros(len(changes), samples, len(sizes), dtype=torch.float64)
    total, exchanged, left = changes.sum(dim=1), signs @ changes, []
    for i in range(samples):
        rest, mixed = total - changes[:, i], exchanged - signs[:, :, i, None] * changes[:, None, i]
        left.append(_squares(rest, mixed, samples - 1, sizes))
    lost = squares[:, None] - torch.stack(left, dim=1)
    return (samples - 2) * (lost - lost.mean(dim=1, keepdim=True))


def _mean(moved: Sequence[_Moved], measures: Sequence[Measure], units: Units) -> Measure:
    """The mean over attributes. A root moves by dx / 2√x; near 0, by no more than its own error lets it."""
    factors = []
    for each in moved:
        error = Error.of(*each.spreads(units)).size
        factors.append(1 / (2 * max(each.square, error, 1e-12) ** 0.5 * len(moved)))
    parts = sum((f * each.parts for f, each in zip(factors, moved, strict=True)), torch.zeros(()))
    null = sum((f * each.null for f, each in zip(factors, moved, strict=True)), torch.zeros(()))
    spreads = at_least(Spread.of(units, parts), null)
    value = sum(each.value for each in measures) / len(measures)
    ends = interval(value, *spreads)
    chance = sum(each.chance**0.5 for each in moved) / len(moved)
    return Measure(
        "all",
        value,
        sum(each.count for each in measures),
        ends and (max(ends[0], 0.0), ends[1]),
        ("by chance", chance),
        str(spreads[0]),
        unknown(value, *spreads),
        spreads,
    )


def _one_hot(attributes: Tensor, sizes: Sequence[int]) -> Tensor:
    """(..., A) int64 -> (..., V) float64, 1 for each of the values that a face has; V is the sum of sizes."""
    columns = zip(attributes.unbind(dim=-1), sizes, strict=True)
    return torch.cat([F.one_hot(column, size) for column, size in columns], dim=-1).double()


def _variation(changes: Tensor, sizes: list[int]) -> Tensor:
    """½ Σ |change of share| over the values of each attribute: (…, V) to (…, A)."""
    return _halves(changes.abs(), sizes)


def _halves(values: Tensor, sizes: list[int]) -> Tensor:
    """Half the sum over the values of each attribute: (…, V) to (…, A)."""
    return torch.stack([part.sum(dim=-1) for part in values.split(sizes, dim=-1)], dim=-1) / 2
