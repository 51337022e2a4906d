"""Nuisance spread: does guidance leave alone what the prompt does not mention?"""

import torch
from torch import Tensor

from sdg.data.toyfaces import NUISANCES
from sdg.errors import SDGError
from sdg.metrics.bootstrap import bootstrap
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import true_nuisances
from sdg.metrics.measure import Measure


class NuisanceSpread:
    """Spread of each nuisance over the samples of a prompt, relative to unguided samples with the same noise.

    ``all`` is the ratio of the mean spreads over the nuisances that the judge reads from renders well enough;
    the others are listed too, but show the judge's own noise. All ranges are scaled to the same length.

    Args:
        renders: number of renders to test the judge on.
        trusted: a nuisance counts if the judge leaves less than this share of its variance unexplained.
        draws: bootstrap resamples.
    """

    def __init__(self, renders: int = 1024, trusted: float = 0.3, draws: int = 1000):
        self.renders, self.trusted, self.draws = renders, trusted, draws
        self.protocol = (
            "standard deviation (n - 1) of each nuisance, as the judge reads it, over samples of a prompt, "
            "mean over prompts, divided by that of unguided samples of the same noise; `all`: ratio of the "
            f"means over nuisances of which the judge leaves less than {trusted:g} of variance unexplained "
            f"on {renders} test renders; 95 % bootstrap intervals over prompts and noises"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        guided, unguided = (
            evidence.by_target(each.nuisances) for each in (evidence.guided, evidence.partners())
        )
        prompts, samples, _ = guided.shape
        if samples < 2:
            raise SDGError(
                "spread needs two samples of a prompt or more: draw with a larger samples_per_prompt"
            )
        unexplained = self._unexplained(evidence)
        trusted = unexplained < self.trusted
        if not trusted.any():
            best = f"{unexplained.min():.2f} of the variance unexplained"
            raise SDGError(f"this judge reads no nuisance well enough (best: {best}): train it longer")

        def ratios(p: Tensor, n: Tensor) -> Tensor:
            above, below = (nuisances[p][:, n].std(dim=1).mean(dim=0) for nuisances in (guided, unguided))
            return torch.cat(
                [above[trusted].mean(dim=0, keepdim=True) / below[trusted].mean(), above / below]
            )

        values = ratios(torch.arange(prompts), torch.arange(samples)).tolist()
        intervals = bootstrap(ratios, prompts, samples, draws=self.draws)
        besides = [None, *(("unexplained", value) for value in unexplained.tolist())]
        rows = zip(["all", *NUISANCES], values, intervals, besides, strict=True)
        return [
            Measure(name, value, prompts * samples, interval, beside)
            for name, value, interval, beside in rows
        ]

    def _unexplained(self, evidence: Evidence) -> Tensor:
        numbers = torch.arange(self.renders)
        truth = true_nuisances(numbers)
        return (evidence.judge.faces(numbers).nuisances - truth).square().mean(dim=0) / truth.var(dim=0)
