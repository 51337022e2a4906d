"""Drift: does guidance move attributes that the prompt does not mention?"""

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.data.toyfaces import ATTRIBUTES
from sdg.errors import SDGError
from sdg.metrics.bootstrap import bootstrap
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure
from sdg.randomness import keyed_generator


class Drift:
    """Total variation between guided and unguided samples, of each attribute that a prompt does not mention.

    Of few samples, the total variation is above 0 though nothing has moved. Were that so, either of two
    samples with the same noise could as well be the guided one; exchanging them at random shows what chance
    gives, the floor. As errors add up in squares, drift = √(mean TV² - mean floor²), with means over prompts,
    or 0. ``all`` is the mean over attributes.

    Args:
        exchanges: how often pairs are exchanged at random.
        draws: bootstrap resamples.
    """

    protocol = (
        "total variation ½ Σ |share guided - share unguided| of the values, as the judge reads them, of each "
        "attribute that a prompt does not mention, against unguided samples of the same noise; root of the "
        "mean of its square over prompts, less that of the floor, which is the same with guided and unguided "
        "exchanged at random; 95 % bootstrap intervals over prompts and noises"
    )

    def __init__(self, exchanges: int = 100, draws: int = 500):
        self.exchanges, self.draws = exchanges, draws

    def __call__(self, evidence: Evidence) -> list[Measure]:
        silent = evidence.by_target(evidence.mentioned())[:, 0] < 0
        guided, unguided = (
            evidence.by_target(each.attributes) for each in (evidence.guided, evidence.partners())
        )
        prompts, samples, _ = guided.shape
        if samples < 2:
            raise SDGError("drift needs two samples of a prompt: draw with a larger samples_per_prompt")
        if not silent.any():
            raise SDGError("every prompt mentions everything, so nothing can drift: leave drift out")
        kept = silent.any(dim=0)
        changes = (_one_hot(guided) - _one_hot(unguided)).transpose(0, 1)
        signs = torch.ones(self.exchanges, samples, dtype=torch.float64)
        signs[torch.rand(signs.shape, generator=keyed_generator("drift")) < 0.5] = -1

        def squares(p: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
            """The mean squares (A,) of TV and of the floor; a sample drawn twice is exchanged twice."""
            weight = silent[p][:, kept].double()
            times = torch.bincount(n, minlength=samples).double() / samples
            found = [
                (_variation(times * factors, changes[:, p])[..., kept] ** 2).mean(dim=0)
                for factors in (torch.ones(1, samples), signs)
            ]
            observed, floor = ((each * weight).sum(dim=0) / weight.sum(dim=0) for each in found)
            return observed, floor

        def drift(p: Tensor, n: Tensor) -> Tensor:
            each = torch.sub(*squares(p, n)).clamp(min=0).sqrt()
            return torch.cat([each.nanmean(dim=0, keepdim=True), each])

        rows = torch.arange(prompts), torch.arange(samples)
        floor = squares(*rows)[1].sqrt()
        counts = (silent[:, kept].sum(dim=0) * samples).tolist()
        names = [name for name, said in zip(ATTRIBUTES, kept, strict=True) if said]
        return [
            Measure(name, value, count, interval, ("floor", base))
            for name, value, count, interval, base in zip(
                ["all", *names],
                drift(*rows).tolist(),
                [sum(counts), *counts],
                bootstrap(drift, prompts, samples, draws=self.draws),
                [float(floor.mean()), *floor.tolist()],
                strict=True,
            )
        ]


_SIZES = [len(values) for values in ATTRIBUTES.values()]


def _one_hot(attributes: Tensor) -> Tensor:
    """(..., 8) int64 -> (..., V) float64, 1 for each of the values that a face has."""
    columns = zip(attributes.unbind(dim=-1), _SIZES, strict=True)
    return torch.cat([F.one_hot(column, size) for column, size in columns], dim=-1).double()


def _variation(weights: Tensor, changes: Tensor) -> Tensor:
    """½ Σ |weighted sum of changes| over the values of each attribute.

    Args:
        weights: (R, n), one of each sample.
        changes: (n, P, V), what guidance has added to each value, and taken from it.

    Returns:
        (R, P, 8).
    """
    shares = torch.einsum("rn,npv->rpv", weights.double(), changes).abs()
    return torch.stack([part.sum(dim=-1) for part in shares.split(_SIZES, dim=-1)], dim=-1) / 2
