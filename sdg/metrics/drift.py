"""Drift: does guidance move attributes that the prompt does not mention?"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Error, Spread, interval
from sdg.metrics.measure import Measure, rooted
from sdg.randomness import keyed_generator


class Drift:
    """Total variation between guided and unguided samples, of each attribute that a prompt does not mention.

    Of few samples, the total variation is above 0 though nothing has moved. Were that so, either of two
    samples with the same noise could as well be the guided one; exchanging them at random shows what chance
    gives. As errors add up in squares, drift = √(mean TV² - mean TV² by chance), with means over prompts, or
    0. ``all`` is the mean over attributes.

    Args:
        exchanges: how often pairs are exchanged at random.
    """

    protocol = (
        "total variation ½ Σ |share guided - share unguided| of the values, as the judge reads them, of each "
        "attribute that a prompt does not mention, against unguided samples of the same noise; root of the "
        "mean of its square over prompts, less that by chance, which is the same with guided and unguided "
        "exchanged at random; 95 % intervals over prompts and noises"
    )
    judges = True

    def __init__(self, exchanges: int = 100):
        self.exchanges = exchanges

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
        signs = torch.ones(self.exchanges, samples, dtype=torch.float64)
        signs[torch.rand(signs.shape, generator=keyed_generator("drift")) < 0.5] = -1

        by_chance = _variation((signs @ changes) / samples, sizes).square().mean(dim=1)  # (P, A)
        moved = changes.mean(dim=1)
        weight = silent.double() / silent.sum(dim=0).clamp(min=1)
        squares = _variation(moved, sizes).square() - by_chance
        mean = (weight * squares).sum(dim=0)
        # d TV² = 2 TV d TV, and TV moves with the sign of each share's change.
        own = _halves((changes - moved[:, None]) * moved[:, None].sign(), sizes)
        slope = 2 * _variation(moved, sizes)[:, None] * own
        parts = ((slope + squares[:, None] - mean) * weight[:, None]).flatten(0, 1) / samples

        names = [name for name, said in zip(names, kept, strict=True) if said]
        counts = (silent.sum(dim=0) * samples)[kept].tolist()
        chance = (weight * by_chance).sum(dim=0).sqrt()[kept].tolist()
        spreads = [Spread.of(evidence.units, column) for column in parts[:, kept].T]
        measures = [
            rooted(name, value, count, spread, ("by chance", beside))
            for name, value, count, spread, beside in zip(
                names, mean[kept].tolist(), counts, spreads, chance, strict=True
            )
        ]
        return [_mean(measures, evidence, parts[:, kept], mean[kept]), *measures]


def _mean(measures: Sequence[Measure], evidence: Evidence, parts: Tensor, squares: Tensor) -> Measure:
    """The mean over attributes. A root moves by dx / 2√x; near 0, by no more than its own error lets it."""
    error = torch.tensor([Error.of(Spread.of(evidence.units, column)).size for column in parts.T])
    steepness = 1 / (2 * torch.maximum(squares.clamp(min=0), error).clamp(min=1e-12).sqrt())
    spread = Spread.of(evidence.units, (parts * steepness).mean(dim=1))
    value = sum(each.value for each in measures) / len(measures)
    ends = interval(value, spread)
    chance = sum(each.beside[1] for each in measures if each.beside) / len(measures)
    return Measure(
        "all",
        value,
        sum(each.count for each in measures),
        ends and (max(ends[0], 0.0), ends[1]),
        ("by chance", chance),
        str(spread),
        (spread,),
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
