"""The Vendi score: how many different pictures a set amounts to.

References:
    Friedman & Dieng, "The Vendi score: a diversity evaluation metric for machine learning", 2023.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure


def vendi(features: Tensor) -> float:
    """exp of the entropy of the eigenvalues of K / N, with K the cosines of features (N, D): 1 to N."""
    unit = F.normalize(features.double(), dim=1)
    # X Xᵀ and Xᵀ X have the same eigenvalues, but for zeros; the smaller is quicker.
    gram = unit @ unit.T if len(unit) < unit.shape[1] else unit.T @ unit
    values = torch.linalg.eigvalsh(gram / len(unit)).clamp(min=0)
    return float(torch.special.entr(values).sum().exp())


class Vendi:
    """The score of the guided samples, or of all samples if none were guided, together.

    It has no interval: fewer pictures have a lower score for that alone, so none can be left out to see how
    it varies. The unguided samples' is beside it; compare equal numbers only.

    Args:
        features: name of an extractor.
    """

    compares = False

    def __init__(self, features: str):
        self.features = (features,)
        self.protocol = (
            f"exp of the entropy of the eigenvalues of the samples' cosines of {features} features, by their "
            "number; unguided: the same of unguided samples"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        rows = evidence.rows
        before = evidence.unguided_rows if evidence.targets else []
        beside = ("unguided", self._score(evidence, before)) if len(before) > 1 else None
        why = "with fewer pictures the score is lower for that alone, so none can be left out"
        return [Measure("", self._score(evidence, rows), len(rows), beside=beside, unknown=why)]

    def _score(self, evidence: Evidence, rows: list[int]) -> float:
        return vendi(evidence.features.features(self.features[0], evidence.samples, rows))
