r"""Kernel distance: an unbiased estimate of the squared maximum mean discrepancy between two feature sets.

.. math:: k(x, y) = (x \cdot y / D + 1)^3

It is called KID only on the features of FID's Inception; on others, name the features: ``kd_judge``.

References:
    Bińkowski et al., "Demystifying MMD GANs", 2018.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Spread, mean_spread, square_interval
from sdg.metrics.measure import Measure, measured
from sdg.metrics.reader import subset
from sdg.metrics.units import Units

_CHUNK = 1024


Kernel = Callable[[Tensor, Tensor], Tensor]
"""Features (n, D) and (m, D) -> (n, m) float64."""


def cubic(a: Tensor, b: Tensor) -> Tensor:
    """(x·y / D + 1)³"""
    return (a.double() @ b.double().T / a.shape[1] + 1) ** 3


def gaussian(a: Tensor, b: Tensor) -> Tensor:
    """exp(-|x - y|² / 2σ²) with σ = 10, for features of length 1."""
    return torch.exp((a.double() @ b.double().T - 1) / 10**2)


class Estimate(NamedTuple):
    """An estimate, and what samples and reference contribute to its error."""

    value: float
    samples: Tensor
    """(N,) float64"""
    reference: Tensor
    """(M,) float64"""


def squared_mmd(a: Tensor, b: Tensor, units: Units | None = None, kernel: Kernel = cubic) -> Estimate:
    """The unbiased estimate for features (N, D) of samples and (M, D) of a reference; it may be negative.

    Of the samples, only pairs that were drawn independently are compared with each other. Kernels are
    computed in strips.

    Args:
        units: how the samples were drawn; None: independently.
        kernel: of two sets of features.

    Raises:
        SDGError: no two samples were.
    """
    units = Units.alone(len(a)) if units is None else units
    n, m = len(a), len(b)
    own, pairs, to_b, to_a = [], [], [], torch.zeros(m, dtype=torch.float64)
    for rows in torch.arange(n).split(_CHUNK):
        k, apart = kernel(a[rows], a), units.apart(rows)
        own.append((k * apart).sum(dim=1))
        pairs.append(apart.sum(dim=1))
        k = kernel(a[rows], b)
        to_b.append(k.mean(dim=1))
        to_a += k.sum(dim=0) / n
    its = torch.cat([_to_others(kernel, b, rows) for rows in torch.arange(m).split(_CHUNK)])
    own_sum, number, across = torch.cat(own), torch.cat(pairs), torch.cat(to_b)
    if not (total := number.sum()):
        raise SDGError(
            f"all of the {n} samples share a prompt or a noise with each other, so their kernel distance "
            "cannot be estimated: draw more prompts with more noises"
        )
    within, between, beyond = own_sum.sum() / total, across.mean(), its.mean()
    samples = 2 * (own_sum - within * number) / total - 2 * (across - between) / n
    reference = 2 * (its - beyond) / m - 2 * (to_a - between) / m
    return Estimate((within + beyond - 2 * between).item(), samples, reference)


def subset_mmd(a: Tensor, b: Tensor, size: int, subsets: int, units: Units | None = None) -> Tensor:
    """Estimates (subsets,) from subsets drawn without replacement, exactly those that torch-fidelity draws.

    Args:
        units: as for :func:`squared_mmd`.

    Raises:
        SDGError: a set is smaller than a subset, or ``size`` is below 2.
    """
    if (least := min(len(a), len(b))) < size:
        raise SDGError(
            f"a kernel distance by subsets of {size} needs {size} pictures a set or more, here are {least}: "
            "draw more samples or use a larger reference, or lower subset_size of this metric"
        )
    if size < 2:
        raise SDGError(f"subset_size={size} leaves nothing to compare: use 2 or more")
    units = Units.alone(len(a)) if units is None else units
    draw = np.random.RandomState(2020)  # torch-fidelity's draws, so that numbers agree
    estimates = []
    for _ in range(subsets):
        mine, its = (draw.choice(len(x), size, replace=False).tolist() for x in (a, b))
        estimates.append(squared_mmd(a[mine], b[its], units.only(mine)).value)
    return torch.tensor(estimates, dtype=torch.float64)


class KernelDistance:
    """Squared MMD between the guided samples, or all samples if none were guided, and the reference.

    Args:
        features: name of an extractor.
        subset_size: pictures in each subset; torch-fidelity's default.
        subsets: number of subsets averaged.
        most: largest number of pictures used of a set, drawn at random.
    """

    compares = True

    def __init__(self, features: str, subset_size: int = 1000, subsets: int = 100, most: int = 10_000):
        if subsets < 2:
            raise SDGError(f"subsets={subsets} does not tell how subsets differ: use 2 or more")
        self.features, self.subset_size, self.subsets, self.most = (features,), subset_size, subsets, most
        self.protocol = (
            f"squared MMD of {features} features of samples and reference, kernel (x·y/D + 1)^3, unbiased, "
            f"over pairs of samples that share neither target nor noise, mean over {subsets} subsets of "
            f"{subset_size}, drawn as torch-fidelity does; at most {most} pictures a set, drawn at random; "
            "95 % interval over targets, noises, the reference's pictures, and subsets"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        a, b, units = feature_sets(evidence, self.features[0], self.most)
        estimates = subset_mmd(a, b, self.subset_size, self.subsets, units)
        whole = squared_distance(a, b, units)
        drawn = mean_spread(Units.alone(self.subsets, "subset"), estimates)
        value, spreads = estimates.mean().item(), (*whole.spreads, drawn)
        return [measured("", value, len(a), *spreads, ends_of=square_interval)]


class GaussianDistance:
    """Squared MMD by a Gaussian kernel on features of length 1, in thousandths.

    It is CMMD, and called so, on the features of CLIP's ViT-L/14 of 336 px only; its authors' estimate also
    pairs each picture with itself, which makes it larger.

    Args:
        features: name of an extractor.
        most: largest number of pictures used of a set, drawn at random.

    References:
        Jayasumana et al., "Rethinking FID: towards a better evaluation metric for image generation", 2024.
    """

    compares = True

    def __init__(self, features: str, most: int = 10_000):
        self.features, self.most = (features,), most
        self.protocol = (
            f"1000 times the squared MMD of {features} features of length 1 of samples and reference, kernel "
            "exp(-|x - y|² / 200), unbiased, over pairs of samples that share neither target nor noise; at "
            f"most {most} pictures a set, drawn at random; 95 % interval over targets, noises and the "
            "reference's pictures"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        a, b, units = feature_sets(evidence, self.features[0], self.most)
        found = squared_distance(F.normalize(a, dim=1), F.normalize(b, dim=1), units, gaussian)
        spreads = [each.scaled(1000) for each in found.spreads]
        return [measured("", 1000 * found.value, found.count, *spreads, ends_of=square_interval)]


def squared_distance(a: Tensor, b: Tensor, units: Units, kernel: Kernel = cubic) -> Measure:
    """The estimate as a measure, with its interval; arguments and errors as :func:`squared_mmd`."""
    found = squared_mmd(a, b, units, kernel)
    spreads = Spread.of(units, found.samples), Spread.of(Units.alone(len(b)), found.reference)
    return measured("", found.value, len(a), *spreads, ends_of=square_interval)


def feature_sets(evidence: Evidence, name: str, most: int) -> tuple[Tensor, Tensor, Units]:
    """Features of at most ``most`` samples, and of as many pictures of the reference; the samples' units."""
    reference = evidence.features.reference_features(name, evidence.reference_pictures, most)
    rows = [evidence.rows[i] for i in subset(len(evidence.rows), most)]
    return evidence.features.features(name, evidence.samples, rows), reference, evidence.units_of(rows)


def _to_others(kernel: Kernel, x: Tensor, rows: Tensor) -> Tensor:
    """The mean of k between each of ``rows`` and all others of x."""
    k = kernel(x[rows], x)
    return (k.sum(dim=1) - k[torch.arange(len(rows)), rows]) / (len(x) - 1)
