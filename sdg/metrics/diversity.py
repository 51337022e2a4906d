"""Diversity: how far apart the samples of one target are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.bootstrap import bootstrap_mean
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure
from sdg.metrics.reader import spaced


class PairwiseDistance:
    """Mean squared feature distance over the pairs of samples of one target, averaged over targets.

    Unguided samples' value is given beside it if a run has any. Samples without targets form one target.

    Args:
        features: name of an extractor; with ``lpips_alex`` these distances are LPIPS.
        normalise: scale features to length 1 first, as LPIPS does with the activations at each position.
        most: largest number of samples of a target to pair, evenly spaced.
        draws: bootstrap resamples.
    """

    compares = False

    def __init__(self, features: str, normalise: bool = False, most: int = 100, draws: int = 1000):
        self.features, self.normalise, self.most, self.draws = (features,), normalise, most, draws
        self.protocol = (
            f"squared Euclidean distance of {features} features{' of length 1' if normalise else ''}, mean "
            f"over all pairs of at most {most} samples of a target, mean over targets; unguided: the same of "
            "unguided samples; 95 % bootstrap interval over targets"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        targets = list(evidence.targets.values()) or [evidence.rows]
        if min(map(len, targets)) < 2:
            raise SDGError(
                f"diversity needs two samples of a target or more, {evidence.samples.source} has one: draw "
                "with a larger samples_per_prompt"
            )
        values = torch.stack([self._mean(evidence, rows) for rows in targets])
        before = evidence.unguided_rows if evidence.targets else []
        beside = ("unguided", self._mean(evidence, before).item()) if len(before) > 1 else None
        return [
            Measure("", values.mean().item(), len(values), bootstrap_mean(values, self.draws), beside),
        ]

    def _mean(self, evidence: Evidence, rows: list[int]) -> Tensor:
        chosen = [rows[i] for i in spaced(len(rows), self.most)]
        # One target at a time, not kept: LPIPS features are larger than the pictures.
        x = torch.cat(list(evidence.features.batches(self.features[0], evidence.samples, chosen)))
        x = F.normalize(x, dim=1) if self.normalise else x
        return torch.pdist(x).double().square().mean()
