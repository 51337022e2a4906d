"""Nuisance spread: does guidance leave alone what the prompt does not mention?"""

from typing import NamedTuple

import torch
from torch import Tensor

from sdg.data.toyfaces import NUISANCES
from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Spread
from sdg.metrics.judged import true_nuisances
from sdg.metrics.measure import Measure, measured
from sdg.metrics.units import Units


class NuisanceSpread:
    """Spread of each nuisance over the samples of a prompt, relative to unguided samples with the same noise.

    ``all`` is the ratio of the mean spreads over the nuisances that the judge reads from renders well enough;
    the others are listed too, but show the judge's own noise. All ranges are scaled to the same length.

    Args:
        renders: number of renders to test the judge on.
        trusted: a nuisance counts if the judge leaves less than this share of its variance unexplained.
    """

    def __init__(self, renders: int = 1024, trusted: float = 0.3):
        self.renders, self.trusted = renders, trusted
        self.protocol = (
            "standard deviation (n - 1) of each nuisance, as the judge reads it, over samples of a prompt, "
            "mean over prompts, divided by that of unguided samples of the same noise; `all`: ratio of the "
            f"means over nuisances of which the judge leaves less than {trusted:g} of variance unexplained "
            f"on {renders} test renders; 95 % intervals over prompts and noises"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        guided, unguided = (
            evidence.by_target(each.nuisances) for each in (evidence.guided, evidence.partners())
        )
        if guided.shape[1] < 2:
            raise SDGError(
                "spread needs two samples of a prompt or more: draw with a larger samples_per_prompt"
            )
        unexplained = self._unexplained(evidence)
        trusted = unexplained < self.trusted
        if not trusted.any():
            best = f"{unexplained.min():.2f} of the variance unexplained"
            raise SDGError(f"this judge reads no nuisance well enough (best: {best}): train it longer")

        above, below = _deviations(guided), _deviations(unguided)
        columns = [trusted, *torch.eye(len(NUISANCES), dtype=torch.bool)]
        besides = [None, *(("unexplained", value) for value in unexplained.tolist())]
        return [
            _ratio(name, above, below, chosen, evidence.units, beside)
            for name, chosen, beside in zip(["all", *NUISANCES], columns, besides, strict=True)
        ]

    def _unexplained(self, evidence: Evidence) -> Tensor:
        numbers = torch.arange(self.renders)
        truth = true_nuisances(numbers)
        return (evidence.judge.faces(numbers).nuisances - truth).square().mean(dim=0) / truth.var(dim=0)


class _Deviations(NamedTuple):
    """Standard deviations over the samples of a prompt, averaged over prompts, of K nuisances."""

    mean: Tensor
    """(K,)"""
    parts: Tensor
    """(P * n, K), what each sample contributes to their errors."""


def _deviations(values: Tensor) -> _Deviations:
    """Of (P, n, K). A deviation s moves by (d(s²)) / 2s."""
    prompts, samples, _ = values.shape
    values = values.double()
    size, mean = values.std(dim=1, keepdim=True), values.mean(dim=1, keepdim=True)
    squares = (values - mean).square() / (samples - 1) - size.square() / samples
    own = squares / (2 * size.clamp(min=1e-12))
    among = (size - size.mean(dim=0)) / samples
    return _Deviations(size.mean(dim=(0, 1)), ((own + among) / prompts).flatten(0, 1))


def _ratio(
    name: str,
    above: _Deviations,
    below: _Deviations,
    chosen: Tensor,
    units: Units,
    beside: tuple[str, float] | None,
) -> Measure:
    """The mean deviation of some nuisances by that of unguided samples."""
    top, base = (each.mean[chosen].mean() for each in (above, below))
    value = (top / base).item()
    parts = (above.parts - value * below.parts)[:, chosen].mean(dim=1) / base
    return measured(name, value, len(parts), Spread.of(units, parts), beside=beside)
