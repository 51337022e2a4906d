r"""The Fréchet distance between Gaussians fitted to features, from sums that can be added.

.. math:: d^2 = |\mu_a - \mu_b|^2 + \operatorname{tr}(\Sigma_a + \Sigma_b - 2 (\Sigma_a \Sigma_b)^{1/2})

It is called FID only on one particular network's features; on others, name the features: ``fd_judge``.

References:
    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from sdg.errors import SDGError


@dataclass(frozen=True)
class Moments:
    """Count, sum and sum of outer products of features, in float64. Those of parts add up: ``a + b``."""

    count: int
    total: Tensor
    """(D,)"""
    outer: Tensor
    """(D, D)"""

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """Moments of features (N, D).

        Raises:
            SDGError: a feature is NaN or infinite.
        """
        if not features.isfinite().all():
            raise SDGError(
                "some features are not finite: look at the pictures, and at the weights that read them"
            )
        features = features.double()
        return cls(len(features), features.sum(dim=0), features.T @ features)

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    @property
    def mean(self) -> Tensor:
        """(D,)"""
        return self.total / self.count

    @property
    def covariance(self) -> Tensor:
        """(D, D), unbiased."""
        return (self.outer - torch.outer(self.total, self.total) / self.count) / (self.count - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared distance d² between two sets of features. It falls as sets grow: compare only equal sizes.

    Raises:
        SDGError: a set has at most as many pictures as features, which leaves its covariance undetermined.
    """
    if (smaller := min(a.count, b.count)) <= len(a.total):
        raise SDGError(
            f"a Fréchet distance of {len(a.total)} features needs more than {len(a.total)} pictures a set, "
            f"here are {smaller}: draw more samples or use a larger reference, or leave this metric out"
        )
    # With Σ_a = R Rᵀ, Σ_a Σ_b has the eigenvalues of the symmetric Rᵀ Σ_b R: no matrix square root needed.
    root = _root(a.covariance)
    overlap = torch.linalg.eigvalsh(root.T @ b.covariance @ root).clamp(min=0).sqrt().sum()
    spread = a.covariance.trace() + b.covariance.trace() - 2 * overlap
    return ((a.mean - b.mean).square().sum() + spread).item()


def contributions(parts: Iterable[Tensor], a: Moments, b: Moments) -> Tensor:
    r"""What each picture of set a contributes to the error of :func:`frechet_distance`: (N,) float64.

    To first order, picture x moves the distance by

    .. math:: \tfrac{1}{N} \big(2 (\mu_a - \mu_b) \cdot z + z^T (I - T) z
              - \operatorname{tr}((I - T) \Sigma_a)\big), \quad z = x - \mu_a,

    where T is the matrix that takes one Gaussian to the other, T Σ_a T = Σ_b.

    Args:
        parts: the features of set a, in batches (n, D).
    """
    root = _root(a.covariance)
    values, vectors = torch.linalg.eigh(root.T @ b.covariance @ root)
    back = torch.linalg.pinv(root)
    map_ = back.T @ (vectors * values.clamp(min=0).sqrt()) @ vectors.T @ back
    rest = torch.eye(len(map_), dtype=torch.float64) - map_
    away, level = 2 * (a.mean - b.mean), (rest * a.covariance).sum() * (a.count - 1) / a.count
    centred = (part.double() - a.mean for part in parts)
    return torch.cat([z @ away + (z @ rest * z).sum(dim=1) - level for z in centred]) / a.count


def _root(covariance: Tensor) -> Tensor:
    """R with Σ = R Rᵀ."""
    root, failed = torch.linalg.cholesky_ex(covariance)
    if failed:  # a feature that never varies, or is a combination of others
        values, vectors = torch.linalg.eigh(covariance)
        root = vectors * values.clamp(min=0).sqrt()
    return root
