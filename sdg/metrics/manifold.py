"""Precision, recall, density and coverage: fidelity and diversity of a small set, separately.

Each set is covered by balls around its pictures' features that reach their k-th nearest neighbours.

References:
    | Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models", 2019
    | Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.bootstrap import bootstrap_mean
from sdg.metrics.evidence import Evidence
from sdg.metrics.kernel import feature_sets
from sdg.metrics.measure import Measure

_CHUNK = 1024


class PRDC(NamedTuple):
    """Each picture's contribution; the four measures are the means."""

    precision: Tensor
    """(N,) whether a sample is in some ball of the reference."""
    recall: Tensor
    """(M,) whether a picture of the reference is in some ball of the samples."""
    density: Tensor
    """(N,) in how many balls of the reference a sample is, divided by k."""
    coverage: Tensor
    """(M,) whether the ball of a picture of the reference holds some sample."""


def prdc(samples: Tensor, reference: Tensor, k: int = 3, k_density: int = 5) -> PRDC:
    """Precision, recall, density and coverage of features (N, D) against (M, D). Balls include their edges.

    Args:
        k: the neighbour that the balls reach, for precision and recall.
        k_density: the same for density and coverage.

    Raises:
        SDGError: a set does not have more pictures than ``k`` and ``k_density``.
    """
    if (least := min(len(samples), len(reference))) <= max(k, k_density):
        raise SDGError(
            f"precision, recall, density and coverage need more than {max(k, k_density)} pictures a set, "
            f"here are {least}: draw more samples, or leave this metric out"
        )
    samples, reference = samples.double(), reference.double()
    own = _radii(samples, k)
    around, dense = _radii(reference, k), _radii(reference, k_density)
    precision, density = [], []
    recall, coverage = (torch.zeros(len(reference), dtype=torch.bool) for _ in range(2))
    for part, radius in zip(samples.split(_CHUNK), own.split(_CHUNK), strict=True):
        away = torch.cdist(part, reference)
        precision.append((away <= around).any(dim=1))
        density.append((away <= dense).sum(dim=1) / k_density)
        recall |= (away <= radius[:, None]).any(dim=0)
        coverage |= (away <= dense).any(dim=0)
    return PRDC(
        torch.cat(precision).double(), recall.double(), torch.cat(density).double(), coverage.double()
    )


def _radii(x: Tensor, k: int) -> Tensor:
    """(N,) distance of each of N points to the k-th nearest of the others."""
    return torch.cat([torch.cdist(part, x).kthvalue(k + 1).values for part in x.split(_CHUNK)])


class Manifold:
    """Precision, recall, density and coverage of the guided samples, or of all samples if none were guided.

    Args:
        features: name of an extractor.
        k: the neighbour that a ball reaches, for precision and recall.
        k_density: the same for density and coverage.
        most: largest number of pictures used of a set, evenly spaced; all four depend on set sizes.
        draws: bootstrap resamples.
    """

    compares = True

    def __init__(self, features: str, k: int = 3, k_density: int = 5, most: int = 10_000, draws: int = 1000):
        self.features, self.k, self.k_density, self.most, self.draws = (features,), k, k_density, most, draws
        self.protocol = (
            f"precision and recall (k = {k}), density and coverage (k = {k_density}) on {features} features "
            f"of samples and reference, at most {most} pictures a set, at even distances; 95 % bootstrap "
            "intervals over the pictures that are counted, the balls held fixed"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        found = prdc(*feature_sets(evidence, self.features[0], self.most), self.k, self.k_density)
        return [
            Measure(name, each.mean().item(), len(each), bootstrap_mean(each, self.draws))
            for name, each in found._asdict().items()
        ]
