from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics import kernel
from sdg.metrics.kernel import KernelDistance, squared_distance, squared_mmd, subset_mmd
from sdg.metrics.reader import subset
from sdg.metrics.units import Units
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
    assert float(ours.mean()) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert float(ours.std(correction=0)) == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-4)


def test_is_without_bias() -> None:
    same = torch.tensor(
        [squared_mmd(normal(20, 8, 2 * i), normal(20, 8, 2 * i + 1)).value for i in range(300)]
    )
    assert abs(same.mean()) < 2.5 * same.std() / 150**0.5
    assert same.min() < 0
    a, b = normal(4000, 1, 1000), normal(4000, 1, 1001, shift=1.0)
    assert squared_mmd(a, b).value == pytest.approx(TRUTH, rel=0.1)


def k(x: Tensor, y: Tensor) -> float:
    return float((x.double() @ y.double() / len(x) + 1) ** 3)


def test_only_samples_that_were_drawn_apart_are_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum over pairs, written out, for two prompts with three noises; strips change nothing."""
    a, b = normal(6, 3, 0), normal(4, 3, 1)
    prompts, noises = [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]
    units = Units({"prompt": prompts, "noise": noises})
    apart = [
        (i, j) for i in range(6) for j in range(6) if prompts[i] != prompts[j] and noises[i] != noises[j]
    ]
    assert len(apart) == 12
    within = sum(k(a[i], a[j]) for i, j in apart) / 12
    its = sum(k(b[i], b[j]) for i in range(4) for j in range(4) if i != j) / 12
    between = sum(k(x, y) for x in a for y in b) / 24
    monkeypatch.setattr(kernel, "_CHUNK", 4)
    assert squared_mmd(a, b, units).value == pytest.approx(within + its - 2 * between)
    alike = Units({"prompt": [0, 0, 1], "reference": [0, 1, 0], "noise": [1, 0, 0]})
    with pytest.raises(SDGError, match="all of the 3 samples share a prompt or a noise with each other"):
        squared_mmd(a[:3], b, alike)


def test_contributions_are_those_of_leaving_a_picture_out() -> None:
    """Of many, each moves the estimate by as much as it does when it is left out."""
    a, b = normal(200, 2, 0), normal(200, 2, 1, shift=1.0)
    found = squared_mmd(a, b)
    for row in (0, 7):
        rest = torch.cat([a[:row], a[row + 1 :]]), torch.cat([b[:row], b[row + 1 :]])
        assert float(found.samples[row]) == pytest.approx(
            found.value - squared_mmd(rest[0], b).value, rel=0.05
        )
        assert float(found.reference[row]) == pytest.approx(
            found.value - squared_mmd(a, rest[1]).value, rel=0.05
        )


def test_samples_of_one_noise_do_not_make_it_larger() -> None:
    """P = Q, with ten samples of each noise that are nearly the same: no bias, and the interval holds 0."""
    held, values = 0, []
    units = Units({"noise": [i // 10 for i in range(200)]})
    for run in range(60):
        a = normal(20, 4, 2 * run).repeat_interleave(10, dim=0) + 0.1 * normal(200, 4, 1000 + run)
        found = squared_distance(a, 1.005 * normal(200, 4, 2 * run + 1), units)
        assert found.interval is not None
        held += found.interval[0] < 0 < found.interval[1]
        values.append(found.value)
    spread = torch.tensor(values)
    assert abs(float(spread.mean())) < 3 * float(spread.std()) / 60**0.5
    assert held >= 55


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for i in range(150):
        a, b = normal(150, 1, 2 * i), normal(150, 1, 2 * i + 1, shift=1.0)
        ends = squared_distance(a, b, Units.alone(150)).interval
        assert ends is not None
        covered += ends[0] < TRUTH < ends[1]
    assert 0.9 <= covered / 150 <= 0.99


def test_measures_samples_against_the_reference(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (60, 3, 4, 4), generator=generator, dtype=torch.uint8)
    metric = KernelDistance("thumbs", subset_size=20, subsets=5, most=30)
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
    (measure,) = KernelDistance("thumbs", subset_size=10)(evidence)
    expected = subset_mmd(eye(pixels[:30]), eye(pixels[30:]), size=10, subsets=100)
    assert measure.value == float(expected.mean())
    with pytest.raises(SDGError, match="needs 1000 pictures a set or more, here are 30"):
        KernelDistance("thumbs")(evidence)


def test_its_set_is_the_guided_samples_alone(tmp_path: Path) -> None:
    """Unguided ones stand in the same folder, and would be far away; a cap of half takes some of them."""
    generator = torch.Generator().manual_seed(0)
    guided, reference = torch.randint(256, (2, 40, 3, 4, 4), generator=generator, dtype=torch.uint8)
    records = [record(None, i) for i in range(40)] + [record("a", i) for i in range(40)]
    samples, eye = Known(records, torch.cat([guided // 4, guided])), Thumbnail()
    for most, mine in ((100, eye(guided)), (20, eye(guided[subset(40, 20)]))):
        evidence = viewed(samples, tmp_path / str(most), Known(pixels=reference), thumbs=eye)
        (measure,) = KernelDistance("thumbs", subset_size=20, subsets=3, most=most)(evidence)
        theirs = eye(reference if most == 100 else reference[subset(40, 20)])
        assert measure.value == float(subset_mmd(mine, theirs, size=20, subsets=3).mean())
        alone = squared_distance(mine, theirs, Units.alone(len(mine)))
        assert measure.interval is not None
        assert alone.interval is not None
        # The subsets, drawn by chance too, make it no narrower.
        assert measure.interval[1] - measure.interval[0] >= alone.interval[1] - alone.interval[0] - 1e-9
        assert measure.count == len(mine)


def test_needs_as_many_pictures_as_a_subset_has() -> None:
    with pytest.raises(SDGError, match="needs 20 pictures a set or more, here are 9"):
        subset_mmd(normal(30, 4, 0), normal(9, 4, 1), size=20, subsets=3)
    with pytest.raises(SDGError, match="subset_size=1 leaves nothing"):
        subset_mmd(normal(30, 4, 0), normal(9, 4, 1), size=1, subsets=3)


def test_one_subset_does_not_say_how_subsets_differ() -> None:
    with pytest.raises(SDGError, match="subsets=1 does not tell how subsets differ: use 2 or more"):
        KernelDistance("thumbs", subsets=1)
