from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics import kernel
from sdg.metrics.kernel import KernelDistance, mmd_interval, squared_mmd, subset_mmd
from tests.metrics.examples import Known, Thumbnail, record, viewed

TRUTH = 4 + 32 - 2 * 7
"""E (xy + 1)^3 for x, y from N(0, 1), from N(1, 1), and from one of each, by their moments."""


def normal(count: int, width: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def test_equals_torch_fidelity_on_the_same_features() -> None:
    """Both draw the same subsets."""
    fidelity = import_module("torch_fidelity.metric_kid")
    a, b = normal(120, 16, 0), normal(90, 16, 1, shift=0.3)
    theirs = fidelity.kid_features_to_metric(a, b, kid_subsets=7, kid_subset_size=40, verbose=False)
    ours = subset_mmd(a, b, size=40, subsets=7)
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)


def test_is_without_bias() -> None:
    same = torch.tensor([squared_mmd(normal(20, 8, 2 * i), normal(20, 8, 2 * i + 1)) for i in range(300)])
    assert abs(same.mean()) < 2.5 * same.std() / 300**0.5
    assert same.min() < 0
    a, b = normal(4000, 1, 1000), normal(4000, 1, 1001, shift=1.0)
    assert squared_mmd(a, b) == pytest.approx(TRUTH, rel=0.1)


def test_resampled_pictures_are_not_paired_with_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the sum over pairs, written out, for each resample; computing in strips changes nothing."""
    a, b = normal(9, 3, 0), normal(7, 3, 1)
    w_a, w_b = (
        torch.tensor([2, 0, 1, 1, 3, 0, 1, 1, 0]).double(),
        torch.tensor([1, 1, 1, 1, 2, 0, 1]).double(),
    )

    def k(x: Tensor, y: Tensor) -> float:
        return float((x.double() @ y.double() / 3 + 1) ** 3)

    def within(x: Tensor, w: Tensor) -> float:
        pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
        above = sum(float(w[i] * w[j]) * k(x[i], x[j]) for i, j in pairs)
        return above / sum(float(w[i] * w[j]) for i, j in pairs)

    between = sum(float(w_a[i] * w_b[j]) * k(a[i], b[j]) for i in range(9) for j in range(7)) / 63
    weights = iter([w_a[:, None], w_b[:, None]])
    monkeypatch.setattr(kernel, "multiplicities", lambda *_: next(weights))
    monkeypatch.setattr(kernel, "_CHUNK", 4)
    low, high = mmd_interval(a, b, draws=1)
    assert low == high == pytest.approx(within(a, w_a) + within(b, w_b) - 2 * between)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for i in range(60):
        low, high = mmd_interval(
            normal(150, 1, 2 * i), normal(150, 1, 2 * i + 1, shift=1.0), draws=100, seed=i
        )
        covered += low < TRUTH < high
    assert 0.8 < covered / 60 <= 1


def test_measures_samples_against_the_reference(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (60, 3, 4, 4), generator=generator, dtype=torch.uint8)
    metric = KernelDistance("thumbs", subset_size=20, subsets=5, most=30, draws=50)
    near = viewed(Known(pixels=pixels[:30]), tmp_path, Known(pixels=pixels[30:]), thumbs=Thumbnail())
    far = viewed(Known(pixels=pixels[:30] // 2), tmp_path, Known(pixels=pixels[30:]), thumbs=Thumbnail())
    (same,), (other,) = metric(near), metric(far)
    assert other.interval is not None
    assert same.value < other.interval[0] < other.value < other.interval[1]
    assert same.count == 30


def test_by_default_a_hundred_subsets_of_a_thousand(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (60, 3, 4, 4), generator=generator, dtype=torch.uint8)
    eye = Thumbnail()
    evidence = viewed(Known(pixels=pixels[:30]), tmp_path, Known(pixels=pixels[30:]), thumbs=eye)
    (measure,) = KernelDistance("thumbs", subset_size=10, draws=10)(evidence)
    assert measure.value == subset_mmd(eye(pixels[:30]), eye(pixels[30:]), size=10, subsets=100)
    with pytest.raises(SDGError, match="needs 1000 pictures a set or more, here are 30"):
        KernelDistance("thumbs")(evidence)


def test_its_set_is_the_guided_samples_alone(tmp_path: Path) -> None:
    """Unguided ones stand in the same folder, and would be far away; a cap of half takes every other one."""
    generator = torch.Generator().manual_seed(0)
    guided, reference = torch.randint(256, (2, 40, 3, 4, 4), generator=generator, dtype=torch.uint8)
    records = [record(None, i) for i in range(40)] + [record("a", i) for i in range(40)]
    samples, eye = Known(records, torch.cat([guided // 4, guided])), Thumbnail()
    for most, mine in ((100, eye(guided)), (20, eye(guided[::2]))):
        evidence = viewed(samples, tmp_path / str(most), Known(pixels=reference), thumbs=eye)
        (measure,) = KernelDistance("thumbs", subset_size=20, subsets=3, most=most, draws=10)(evidence)
        theirs = eye(reference if most == 100 else reference[::2])
        assert measure.value == subset_mmd(mine, theirs, size=20, subsets=3)
        assert measure.interval == mmd_interval(mine, theirs, draws=10)
        assert measure.count == len(mine)


def test_needs_as_many_pictures_as_a_subset_has() -> None:
    with pytest.raises(SDGError, match="needs 20 pictures a set or more, here are 9"):
        subset_mmd(normal(30, 4, 0), normal(9, 4, 1), size=20, subsets=3)
    with pytest.raises(SDGError, match="subset_size=1 leaves nothing"):
        subset_mmd(normal(30, 4, 0), normal(9, 4, 1), size=1, subsets=3)
