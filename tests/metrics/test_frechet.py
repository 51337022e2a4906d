from importlib import import_module

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.frechet import Moments, frechet_distance


def features(count: int, width: int, seed: int, rank: int | None = None) -> Tensor:
    """Correlated, off-centre and badly scaled, like the features of a network."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(rank or width, width, generator=generator) * torch.logspace(-2, 1, width)
    centre = 5 * torch.randn(width, generator=generator)
    return torch.randn(count, rank or width, generator=generator) @ mix + centre


def by_scipy(a: Tensor, b: Tensor) -> float:
    a, b = a.double().numpy(), b.double().numpy()
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root))


@pytest.mark.parametrize("width", [2, 7, 64])
def test_equals_the_matrix_square_root_of_scipy(width: int) -> None:
    a, b = features(500, width, seed=0), features(300, width, seed=1)
    assert frechet_distance(Moments.of(a), Moments.of(b)) == pytest.approx(by_scipy(a, b), rel=1e-4)


def test_equals_torch_fidelity_on_the_same_features() -> None:
    fidelity = import_module("torch_fidelity.metric_fid")
    a, b = features(400, 32, seed=0), features(300, 32, seed=1)
    statistics = [fidelity.fid_features_to_statistics(each.double()) for each in (a, b)]
    theirs = fidelity.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(Moments.of(a), Moments.of(b)) == pytest.approx(theirs, rel=1e-6)


def test_is_exact_for_gaussians_along_the_axes() -> None:
    """Points at ±s on every axis have covariances that are known without estimation."""
    corners = torch.cat([torch.eye(3), -torch.eye(3)])
    s, r, shift = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 2.0, 0.5]), torch.tensor([0.0, 3.0, 4.0])
    distance = frechet_distance(Moments.of(corners * s), Moments.of(corners * r + shift))
    assert distance == pytest.approx(25 + ((s - r).square() * 2 / 5).sum().item(), rel=1e-6)


def test_rank_deficient_features_are_no_obstacle() -> None:
    a, b = features(200, 30, seed=0, rank=5), features(200, 30, seed=1, rank=5)
    there, back = (frechet_distance(Moments.of(x), Moments.of(y)) for x, y in ((a, b), (b, a)))
    assert there == pytest.approx(back, rel=1e-5)
    assert frechet_distance(Moments.of(a), Moments.of(a)) == pytest.approx(
        0, abs=1e-4 * a.var(dim=0).sum().item()
    )


def test_merging_shards_equals_the_whole() -> None:
    whole = features(1000, 16, seed=0)
    parts = [Moments.of(shard) for shard in whole.split([1, 300, 650, 49])]
    merged = parts[3] + (parts[1] + parts[0]) + parts[2]
    reference = Moments.of(whole)
    assert merged.count == 1000
    torch.testing.assert_close(merged.mean, reference.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(merged.covariance, reference.covariance, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(merged.covariance, whole.double().T.cov(), rtol=1e-6, atol=1e-9)


def test_needs_more_pictures_than_features_and_finite_ones() -> None:
    with pytest.raises(SDGError, match="more than 16 pictures a set, here are 16"):
        frechet_distance(Moments.of(features(16, 16, seed=0)), Moments.of(features(40, 16, seed=1)))
    broken = features(40, 4, seed=0)
    broken[3, 2] = torch.nan
    with pytest.raises(SDGError, match="not finite"):
        Moments.of(broken)
