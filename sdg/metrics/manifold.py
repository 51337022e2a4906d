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
from sdg.metrics.evidence import Evidence
from sdg.metrics.halves import variances_by_halves
from sdg.metrics.intervals import Spread, interval, mean_spread, share_interval
from sdg.metrics.kernel import feature_sets
from sdg.metrics.measure import Measure, measured
from sdg.metrics.units import Units

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
    lost: "Lost"


class Lost(NamedTuple):
    """What the measures would lose without some of the pictures that do the counting, balls held fixed."""

    precision: Tensor
    """(M,) without each picture of the reference."""
    recall: list[Tensor]
    """(G,) without each group of samples, for every grouping of them."""
    density: Tensor
    """(M,) without each picture of the reference."""
    coverage: list[Tensor]
    """(G,) likewise."""
    recall_alone: Tensor
    """(N,) without each sample."""
    coverage_alone: Tensor
    """(N,) likewise."""


def prdc(
    samples: Tensor, reference: Tensor, k: int = 3, k_density: int = 5, units: Units | None = None
) -> PRDC:
    """Precision, recall, density and coverage of features (N, D) against (M, D). Balls include their edges.

    Args:
        k: the neighbour that the balls reach, for precision and recall.
        k_density: the same for density and coverage.
        units: how the samples were drawn; None: independently.

    Raises:
        SDGError: a set does not have more pictures than ``k`` and ``k_density``.
    """
    if (least := min(len(samples), len(reference))) <= max(k, k_density):
        raise SDGError(
            f"precision, recall, density and coverage need more than {max(k, k_density)} pictures a set, "
            f"here are {least}: draw more samples or use a larger reference, or leave this metric out"
        )
    samples, reference = samples.double(), reference.double()
    own = _radii(samples, k)
    around, dense = _radii(reference, k), _radii(reference, k_density)
    groups = [each.index for each in (units or Units.alone(len(samples))).groupings]
    groups.append(torch.arange(len(samples)))
    recall, coverage = ([_Counted(index, len(reference)) for index in groups] for _ in range(2))
    every, held = torch.arange(len(reference)), torch.zeros(len(reference), dtype=torch.float64)
    precision, density, alone = [], [], torch.zeros(len(reference), dtype=torch.float64)
    for rows in torch.arange(len(samples)).split(_CHUNK):
        away = torch.cdist(samples[rows], reference)
        counted = _Counted(every, len(rows))
        counted.add(every, (away <= around).T)
        precision.append(counted.by_any)
        alone += counted.by_one_alone()
        density.append((away <= dense).double().sum(dim=1) / k_density)
        held += (away <= dense).double().sum(dim=0) / k_density
        for by_group, inside in ((recall, away <= own[rows, None]), (coverage, away <= dense)):
            for each in by_group:
                each.add(rows, inside)
    return PRDC(
        torch.cat(precision).double(),
        recall[0].by_any.double(),
        torch.cat(density),
        coverage[0].by_any.double(),
        Lost(
            alone / len(samples),
            [each.by_one_alone() / len(reference) for each in recall[:-1]],
            held / len(samples),
            [each.by_one_alone() / len(reference) for each in coverage[:-1]],
            *(each[-1].by_one_alone() / len(reference) for each in (recall, coverage)),
        ),
    )


class _Counted:
    """Which of N things are counted by any picture, and which by those of one group alone.

    Args:
        index: the group of every picture.
    """

    def __init__(self, index: Tensor, count: int):
        self.index, self.groups = index, int(index.max()) + 1
        self.first, self.last = torch.full((count,), self.groups), torch.full((count,), -1)

    def add(self, rows: Tensor, inside: Tensor) -> None:
        """``inside`` (n, N): whether each of the pictures ``rows`` counts each thing."""
        index = self.index[rows][:, None]
        self.first = torch.minimum(self.first, torch.where(inside, index, self.groups).amin(dim=0))
        self.last = torch.maximum(self.last, torch.where(inside, index, -1).amax(dim=0))

    @property
    def by_any(self) -> Tensor:
        """(N,) bool"""
        return self.last >= 0

    def by_one_alone(self) -> Tensor:
        """How many things each group alone counts: (G,) float64."""
        return torch.bincount(self.last[self.first == self.last], minlength=self.groups).double()


def _radii(x: Tensor, k: int) -> Tensor:
    """(N,) distance of each of N points to the k-th nearest of the others."""
    return torch.cat([torch.cdist(part, x).kthvalue(k + 1).values for part in x.split(_CHUNK)])


class Manifold:
    """Precision, recall, density and coverage of the guided samples, or of all samples if none were guided.

    Args:
        features: name of an extractor.
        k: the neighbour that a ball reaches, for precision and recall.
        k_density: the same for density and coverage.
        most: largest number of pictures used of a set, drawn at random; all four depend on set sizes.
    """

    compares = True

    def __init__(self, features: str, k: int = 3, k_density: int = 5, most: int = 10_000):
        self.features, self.k, self.k_density, self.most = (features,), k, k_density, most
        self.protocol = (
            f"precision and recall (k = {k}), density and coverage (k = {k_density}) on {features} features "
            f"of samples and reference, at most {most} pictures a set, drawn at random; 95 % intervals over "
            "targets, noises and the reference's pictures, the balls held fixed; what pictures add, each for "
            "itself, to the shares of pictures in balls, by halves of both sets"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        a, b, units = feature_sets(evidence, self.features[0], self.most)
        found, each, its = prdc(a, b, self.k, self.k_density, units), Units.alone(len(a)), Units.alone(len(b))
        lost = found.lost
        spreads = {
            "precision": (mean_spread(units, found.precision), Spread.without(its, [lost.precision])),
            "recall": (Spread.without(units, lost.recall), mean_spread(its, found.recall)),
            "density": (mean_spread(units, found.density), Spread.without(its, [lost.density])),
            "coverage": (Spread.without(units, lost.coverage), mean_spread(its, found.coverage)),
        }
        alone = {
            "precision": mean_spread(each, found.precision),
            "recall": Spread.without(each, [lost.recall_alone]),
            "coverage": Spread.without(each, [lost.coverage_alone]),
        }
        for name, variance in variances_by_halves(a, b, self.k, self.k_density).items():
            spreads[name] = _counted_once(*spreads[name], alone[name], variance)
        measures = []
        for name, both in spreads.items():
            values: Tensor = getattr(found, name)
            ends_of = interval if name == "density" else share_interval
            measures.append(measured(name, values.mean().item(), len(values), *both, ends_of=ends_of))
        return measures


def _counted_once(
    samples: Spread, reference: Spread, alone: Spread, by_halves: float
) -> tuple[Spread, Spread]:
    """The spreads of a share, by samples and by the reference, which count each picture's own chance once.

    Args:
        alone: by samples as if they shared nothing. What ``samples`` has beyond that is shared.
        by_halves: the variance that pictures of both sets bring, each for itself.
    """
    right = max(samples.variance - alone.variance, 0.0) + by_halves
    before = samples.variance + reference.variance
    factor = (right / before) ** 0.5 if before > 0 else 1.0
    return samples.scaled(factor), reference.scaled(factor)
