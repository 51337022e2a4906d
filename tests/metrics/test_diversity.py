from pathlib import Path

import pytest
import torch
from scipy import stats
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.diversity import PairwiseDistance
from sdg.metrics.reader import subset
from tests.metrics.examples import Known, Thumbnail, record, viewed

WHITE, BLACK, GREY = 255, 0, 51  # as features: 1, 0 and 0.2


def plain(*colours: int) -> Tensor:
    return torch.tensor(colours, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).clone()


def test_is_the_mean_over_pairs_and_then_over_targets(tmp_path: Path) -> None:
    records = [record(None, i) for i in range(2)]
    records += [record("a", i) for i in range(3)] + [record("b", i) for i in range(2)]
    colours = plain(WHITE, BLACK, WHITE, BLACK, GREY, GREY, GREY)
    found = viewed(Known(records, colours), tmp_path, mean=Thumbnail(1))
    (measure,) = PairwiseDistance("mean")(found)
    # Three channels; pairs of a: 1, 0.8 and 0.2 apart.
    of_a = 3 * (1 + 0.8**2 + 0.2**2) / 3
    assert measure.value == pytest.approx(of_a / 2, rel=1e-5)
    assert measure.count == 2
    assert measure.interval is not None
    assert measure.interval[0] < 0 < of_a < measure.interval[1]  # two targets are next to nothing
    assert measure.beside == ("unguided", pytest.approx(3))


def test_a_reference_makes_a_target_too(tmp_path: Path) -> None:
    records = [
        record(None, i, scale=1.0) | {"reference": name} for name in ("x.png", "y.png") for i in (0, 1)
    ]
    found = viewed(Known(records, plain(WHITE, WHITE, BLACK, BLACK)), tmp_path, mean=Thumbnail(1))
    assert PairwiseDistance("mean")(found)[0].value == 0


def test_a_folder_of_strangers_is_one_target(tmp_path: Path) -> None:
    found = viewed(Known(pixels=plain(WHITE, BLACK, BLACK)), tmp_path, mean=Thumbnail(1))
    (measure,) = PairwiseDistance("mean")(found)
    assert (measure.value, measure.beside, measure.over) == (pytest.approx(2), None, "3 pictures")
    # Means to the others: 3, 1.5 and 1.5, so contributions of 2/3, -1/3 and -1/3: a standard error of 1.
    half = stats.t.ppf(0.975, 2)
    assert measure.interval == pytest.approx((2 - half, 2 + half))
    (fewer,) = PairwiseDistance("mean", most=2)(found)
    assert fewer.value == pytest.approx(3 if 0 in subset(3, 2) else 0)


def test_of_a_large_target_some_samples_are_paired(tmp_path: Path) -> None:
    records = [record("a", i) for i in range(6)]
    colours = plain(WHITE, BLACK, WHITE, BLACK, GREY, BLACK)
    found = viewed(Known(records, colours), tmp_path, mean=Thumbnail(1))
    (capped,) = PairwiseDistance("mean", most=3)(found)
    chosen = colours[subset(6, 3)][:, 0, 0, 0].double() / 255
    pairs = [(chosen[i] - chosen[j]) ** 2 for i, j in ((0, 1), (0, 2), (1, 2))]
    assert capped.value == pytest.approx(float(sum(pairs)))  # three channels, three pairs


def test_the_cap_is_a_hundred(tmp_path: Path) -> None:
    """Of 200; those that are left out could be of any colour."""
    chosen = set(subset(200, 100))
    colours = plain(*[WHITE if row in chosen else BLACK for row in range(200)])
    found = viewed(Known([record("a", i) for i in range(200)], colours), tmp_path, mean=Thumbnail(1))
    assert len(chosen) == 100
    assert PairwiseDistance("mean")(found)[0].value == 0


def test_normalised_features_differ_by_direction_alone(tmp_path: Path) -> None:
    images = plain(WHITE, GREY)
    found = viewed(Known(pixels=images), tmp_path, mean=Thumbnail(1))
    assert PairwiseDistance("mean", normalise=True)(found)[0].value == pytest.approx(0, abs=1e-10)
    images[0, 1:], images[1, :2] = 0, 0  # red and blue
    found = viewed(Known(pixels=images), tmp_path, mean=Thumbnail(1))
    assert PairwiseDistance("mean", normalise=True)(found)[0].value == pytest.approx(2)


def test_one_sample_has_no_diversity(tmp_path: Path) -> None:
    found = viewed(Known([record("a", 0)], plain(GREY)), tmp_path, mean=Thumbnail(1))
    with pytest.raises(SDGError, match="larger samples_per_prompt"):
        PairwiseDistance("mean")(found)
