"""Diversity: how far apart the samples of one target are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Spread
from sdg.metrics.measure import Measure, measured
from sdg.metrics.reader import subset


class PairwiseDistance:
    """Mean squared feature distance over the pairs of samples of one target, averaged over targets.

    Unguided samples' value is given beside it if a run has any. Samples without targets form one target.

    Args:
        features: name of an extractor; with ``lpips_alex`` these distances are LPIPS.
        normalise: scale features to length 1 first, as LPIPS does with the activations at each position.
        most: largest number of samples of a target to pair, drawn at random.
    """

    compares = False

    def __init__(self, features: str, normalise: bool = False, most: int = 100):
        self.features, self.normalise, self.most = (features,), normalise, most
        self.protocol = (
            f"squared Euclidean distance of {features} features{' of length 1' if normalise else ''}, mean "
            f"over all pairs of at most {most} samples of a target, mean over targets; unguided: the same of "
            "unguided samples; 95 % interval over targets and noises"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        targets = list(evidence.targets.values()) or [evidence.rows]
        if min(map(len, targets)) < 2:
            raise SDGError(
                f"diversity needs two samples of a target or more, {evidence.samples.source} has one: draw "
                "with a larger samples_per_prompt"
            )
        chosen = [[rows[i] for i in subset(len(rows), self.most)] for rows in targets]
        to_others = [self._to_others(evidence, rows) for rows in chosen]
        values = torch.stack([each.mean() for each in to_others])
        value = values.mean()
        # A sample is in every pair of its own, and in its target.
        parts = [(2 * each - each.mean() - value) / len(each) for each in to_others]
        units = evidence.units_of([row for rows in chosen for row in rows])
        before = evidence.unguided_rows if evidence.targets else []
        before = [before[i] for i in subset(len(before), self.most)]
        beside = ("unguided", self._to_others(evidence, before).mean().item()) if len(before) > 1 else None
        spread = Spread.of(units, torch.cat(parts) / len(values))
        return [measured("", value.item(), len(values), spread, beside=beside)]

    def _to_others(self, evidence: Evidence, rows: list[int]) -> Tensor:
        """The mean distance of each of the samples to the others: (n,) float64."""
        x = evidence.features.features(self.features[0], evidence.samples, rows)
        x = F.normalize(x, dim=1) if self.normalise else x
        away = torch.pdist(x).double().square()
        first, second = torch.triu_indices(len(x), len(x), 1)
        total = torch.zeros(len(x), dtype=torch.float64)
        return total.index_add(0, first, away).index_add(0, second, away) / (len(x) - 1)
