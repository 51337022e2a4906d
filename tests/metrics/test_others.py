"""The same features by torchmetrics and by a few lines of numpy: what others would print is what we print."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sdg.metrics.frechet import Moments, frechet_distance
from sdg.metrics.kernel import GaussianDistance, gaussian, squared_mmd
from sdg.metrics.manifold import prdc
from sdg.metrics.vendi import Vendi, vendi
from tests.metrics.examples import Known, Thumbnail, record, viewed


def normal(count: int, width: int, seed: int, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator, dtype=torch.float64) + shift


A, B = normal(90, 7, 0, 0.3), normal(70, 7, 1) * 1.2


def test_the_frechet_distance_is_torchmetrics_fid() -> None:
    theirs = import_module("torchmetrics.image.fid")._compute_fid(A.mean(0), A.T.cov(), B.mean(0), B.T.cov())
    assert frechet_distance(Moments.of(A), Moments.of(B)) == pytest.approx(float(theirs), rel=1e-6)


def test_the_kernel_distance_is_torchmetrics_kid() -> None:
    """torchmetrics takes sets of one size."""
    same = A[: len(B)]
    theirs = import_module("torchmetrics.image.kid").poly_mmd(B, same)
    assert squared_mmd(same, B).value == pytest.approx(float(theirs), rel=1e-6)


def test_all_four_of_prdc_are_numpys() -> None:
    """As the authors of density and coverage define them, picture by picture."""
    a, b = A.numpy(), B.numpy()

    def radii(x: np.ndarray, k: int) -> np.ndarray:
        apart = np.linalg.norm(x[:, None] - x[None], axis=2)
        return np.sort(apart, axis=1)[:, k]  # the first is the picture itself

    away = np.linalg.norm(a[:, None] - b[None], axis=2)
    three, five, own = radii(b, 3), radii(b, 5), radii(a, 3)
    found = prdc(A, B)
    assert float(found.precision.mean()) == pytest.approx((away <= three).any(axis=1).mean())
    assert float(found.recall.mean()) == pytest.approx((away <= own[:, None]).any(axis=0).mean())
    assert float(found.density.mean()) == pytest.approx((away <= five).sum(axis=1).mean() / 5)
    assert float(found.coverage.mean()) == pytest.approx((away.min(axis=0) <= five).mean())
    assert all(0.2 < float(each.mean()) < 1.5 for each in found[:4])


def test_the_gaussian_distance_is_numpys() -> None:
    """CMMD's kernel and scale; without the pairs of a picture with itself, which its authors count in."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (A.numpy(), B.numpy()))

    def mean(x: np.ndarray, y: np.ndarray, same: bool) -> float:
        k = np.exp(-((x[:, None] - y[None]) ** 2).sum(axis=2) / (2 * 10**2))
        return float((k.sum() - np.trace(k)) / (len(x) * (len(x) - 1)) if same else k.mean())

    expected = mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)
    found = squared_mmd(torch.from_numpy(a), torch.from_numpy(b), kernel=gaussian)
    assert found.value == pytest.approx(expected, rel=1e-9)


def test_the_gaussian_distance_of_pictures_is_in_thousandths(tmp_path: Path) -> None:
    pixels = torch.randint(256, (40, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    pixels[20:, 0] //= 2
    eye = Thumbnail()
    evidence = viewed(Known(pixels=pixels[:20]), tmp_path, Known(pixels=pixels[20:]), eye=eye)
    (measure,) = GaussianDistance("eye")(evidence)
    unit = torch.nn.functional.normalize(eye(pixels).double(), dim=1)
    expected = 1000 * squared_mmd(unit[:20], unit[20:], kernel=gaussian).value
    assert measure.value == pytest.approx(expected, rel=1e-5)
    assert measure.interval is not None
    assert 0 < measure.interval[0] < measure.value < measure.interval[1]


def test_the_vendi_score_counts_what_differs() -> None:
    assert vendi(torch.eye(5)) == pytest.approx(5)
    assert vendi(torch.ones(5, 3)) == pytest.approx(1)
    assert vendi(torch.eye(4).repeat_interleave(3, dim=0)) == pytest.approx(4)
    unit = A.numpy() / np.linalg.norm(A.numpy(), axis=1, keepdims=True)
    for x in (unit, unit[:5]):  # more pictures than features, and fewer
        values = np.linalg.eigvalsh(x @ x.T / len(x))
        values = values[values > 1e-12]
        assert vendi(torch.from_numpy(x)) == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-6)


def test_the_vendi_score_is_of_the_guided_samples_beside_the_unguided(tmp_path: Path) -> None:
    colours = torch.tensor([[255, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
    pixels = colours[:, :, None, None].expand(-1, -1, 4, 4).contiguous()
    records = [record(None, 0), record(None, 1), record("a", 0), record("a", 1)]
    (measure,) = Vendi("eye")(viewed(Known(records, pixels), tmp_path, eye=Thumbnail(1)))
    assert (measure.value, measure.count) == (pytest.approx(2), 2)
    assert measure.beside == ("unguided", pytest.approx(1))
    assert measure.interval is None
