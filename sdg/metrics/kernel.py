r"""Kernel distance: an unbiased estimate of the squared maximum mean discrepancy between two feature sets.

.. math:: k(x, y) = (x \cdot y / D + 1)^3

It is called KID only on the features of FID's Inception; on others, name the features: ``kd_judge``.

References:
    Bińkowski et al., "Demystifying MMD GANs", 2018.
"""

import numpy as np
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.bootstrap import Interval, multiplicities, percentiles
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure
from sdg.metrics.reader import spaced
from sdg.randomness import keyed_generator

_CHUNK = 1024


def squared_mmd(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate for features (N, D) and (M, D); it may be negative."""
    n, m = len(a), len(b)
    k_a, k_b, k_ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    within = (k_a.sum() - k_a.trace()) / (n * (n - 1)) + (k_b.sum() - k_b.trace()) / (m * (m - 1))
    return (within - 2 * k_ab.mean()).item()


def subset_mmd(a: Tensor, b: Tensor, size: int, subsets: int) -> float:
    """Mean estimate over subsets drawn without replacement, exactly those that torch-fidelity draws.

    Raises:
        SDGError: a set is smaller than a subset, or ``size`` is below 2.
    """
    if (least := min(len(a), len(b))) < size:
        raise SDGError(
            f"a kernel distance by subsets of {size} needs {size} pictures a set or more, here are {least}: "
            "draw more samples, or lower subset_size of this metric"
        )
    if size < 2:
        raise SDGError(f"subset_size={size} leaves nothing to compare: use 2 or more")
    draw = np.random.RandomState(2020)  # torch-fidelity's draws, so that numbers agree
    estimates = []
    for _ in range(subsets):
        rows_a, rows_b = (torch.from_numpy(draw.choice(len(x), size, replace=False)) for x in (a, b))
        estimates.append(squared_mmd(a[rows_a], b[rows_b]))
    return sum(estimates) / subsets


def mmd_interval(a: Tensor, b: Tensor, draws: int, seed: int = 0) -> Interval:
    """95 % bootstrap interval of the estimate, with both sets resampled.

    A picture that is drawn twice is not paired with itself: each pair of distinct pictures is weighted by the
    product of their multiplicities. Kernels are computed in strips, for all draws at once.
    """
    generator = keyed_generator("bootstrap", "mmd", seed)
    w_a, w_b = (multiplicities(len(x), draws, generator) for x in (a, b))
    between = _weighted(a, w_a, b, w_b) / (len(a) * len(b))
    values = _within(a, w_a) + _within(b, w_b) - 2 * between
    return percentiles(values[:, None])[0]


def _within(x: Tensor, w: Tensor) -> Tensor:
    own = (x.double().square().sum(dim=1) / x.shape[1] + 1) ** 3
    twice = w.square()
    return (_weighted(x, w, x, w) - own @ twice) / (len(x) ** 2 - twice.sum(dim=0))


def _weighted(a: Tensor, w_a: Tensor, b: Tensor, w_b: Tensor) -> Tensor:
    """Σ_ij w_ai k(a_i, b_j) w_bj for weights (N, R) and (M, R): (R,)"""
    strips = zip(a.split(_CHUNK), w_a.split(_CHUNK), strict=True)
    return torch.stack([(w * (_kernel(x, b) @ w_b)).sum(dim=0) for x, w in strips]).sum(dim=0)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() @ b.double().T / a.shape[1] + 1) ** 3


class KernelDistance:
    """Squared MMD between the guided samples, or all samples if none were guided, and the reference.

    Args:
        features: name of an extractor.
        subset_size: pictures in each subset; torch-fidelity's default.
        subsets: number of subsets averaged.
        most: largest number of pictures used of a set, evenly spaced.
        draws: bootstrap resamples.
    """

    compares = True

    def __init__(
        self,
        features: str,
        subset_size: int = 1000,
        subsets: int = 100,
        most: int = 10_000,
        draws: int = 200,
    ):
        self.features, self.subset_size, self.subsets = (features,), subset_size, subsets
        self.most, self.draws = most, draws
        self.protocol = (
            f"squared MMD of {features} features of samples and reference, kernel (x·y/D + 1)^3, unbiased, "
            f"mean over {subsets} subsets of {subset_size}, drawn as torch-fidelity does; at most {most} "
            "pictures a set, at even distances; 95 % bootstrap interval of the estimate on whole sets, over "
            "pictures"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        a, b = feature_sets(evidence, self.features[0], self.most)
        value = subset_mmd(a, b, self.subset_size, self.subsets)
        return [Measure("", value, len(a), mmd_interval(a, b, self.draws))]


def feature_sets(evidence: Evidence, name: str, most: int) -> tuple[Tensor, Tensor]:
    """Features of at most ``most`` samples, and of at most ``most`` pictures of the reference."""
    reference = evidence.features.reference_features(name, evidence.reference_pictures, most)
    rows = [evidence.rows[i] for i in spaced(len(evidence.rows), most)]
    return evidence.features.features(name, evidence.samples, rows), reference
