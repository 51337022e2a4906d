from pathlib import Path

import pytest
import torch

from sdg.errors import SDGError
from sdg.metrics.distance import Frechet
from sdg.metrics.frechet import Moments, contributions, frechet_distance
from tests.metrics.examples import Known, Thumbnail, record, viewed


def noise(count: int, seed: int, top: int = 256) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(top, (count, 3, 4, 4), generator=generator, dtype=torch.uint8)


def test_is_the_distance_of_the_features_of_the_guided_samples(tmp_path: Path) -> None:
    """Unguided samples stand in the same folder, and would be far away."""
    guided, reference = noise(60, 0), noise(80, 1, top=200)
    records = [record(None, i) for i in range(40)] + [record("a", i) for i in range(60)]
    samples = Known(records, torch.cat([noise(40, 2, top=20), guided]))
    eye = Thumbnail()
    (measure,) = Frechet("thumbs")(viewed(samples, tmp_path, Known(pixels=reference), thumbs=eye))
    expected = frechet_distance(Moments.of(eye(guided)), Moments.of(eye(reference)))
    assert measure.value == pytest.approx(expected, rel=1e-9)
    assert measure.count == 60
    assert measure.interval is not None
    assert measure.interval[0] < measure.value < measure.interval[1]
    assert measure.over == "60 noises and 80 pictures"
    (plain,) = Frechet("thumbs")(viewed(Known(pixels=guided), tmp_path, Known(pixels=reference), thumbs=eye))
    assert plain.value == pytest.approx(expected, rel=1e-9)


def test_the_reference_varies_too_unless_its_pictures_are_unknown(tmp_path: Path) -> None:
    """What each of its pictures contributes is what the distance loses without it."""
    a, b, eye = noise(400, 0), noise(300, 1, top=200), Thumbnail()
    seen = viewed(Known(pixels=a), tmp_path, Known(pixels=b), thumbs=eye)
    (measure,) = Frechet("thumbs")(seen)
    (own,) = measure.spreads[1].parts
    samples, features = Moments.of(eye(a)), eye(b)
    for row in (0, 7):
        rest = Moments.of(torch.cat([features[:row], features[row + 1 :]]))
        left_out = measure.value - frechet_distance(samples, rest)
        assert float(own.sums[row]) == pytest.approx(left_out, rel=0.05, abs=1e-3 * measure.value / 300)
    seen.features.reference_moments("thumbs", seen.reference_pictures)
    (seen.reference,) = tmp_path.rglob("thumbs-moments-*.safetensors")
    (fixed,) = Frechet("thumbs")(seen)
    assert fixed.value == pytest.approx(measure.value)
    assert fixed.over == "400 pictures"
    assert fixed.spreads[0].variance == pytest.approx(measure.spreads[0].variance)


def test_needs_a_reference_and_enough_pictures(tmp_path: Path) -> None:
    few = Known(pixels=noise(12, 0))
    with pytest.raises(SDGError, match="give reference=DIR"):
        Frechet("thumbs")(viewed(few, tmp_path, thumbs=Thumbnail()))
    with pytest.raises(SDGError, match="more than 12 pictures a set, here are 12"):
        Frechet("thumbs")(viewed(few, tmp_path, Known(pixels=noise(30, 1)), thumbs=Thumbnail()))


def test_contributions_are_those_of_leaving_a_picture_out() -> None:
    """To first order, of many."""
    a = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b = Moments.of(torch.randn(3000, 3, generator=torch.Generator().manual_seed(1)).double() * 1.5 + 0.7)
    whole = Moments.of(a)
    found = contributions(a.split(300), whole, b)
    assert abs(float(found.sum())) < 1e-9
    value = frechet_distance(whole, b)
    for row in (0, 5, 11):
        rest = Moments.of(torch.cat([a[:row], a[row + 1 :]]))
        left_out = value - frechet_distance(rest, b)
        assert float(found[row]) == pytest.approx(left_out, rel=0.02, abs=2e-6)


def test_a_feature_that_never_varies_contributes_nothing() -> None:
    a = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b = Moments.of(a.flip(0) * 1.3 + 0.2)
    flat = torch.cat([a, torch.ones(50, 1)], dim=1)
    with_flat = Moments.of(torch.cat([a.flip(0) * 1.3 + 0.2, torch.ones(50, 1)], dim=1))
    expected = contributions([a], Moments.of(a), b)
    torch.testing.assert_close(contributions([flat], Moments.of(flat), with_flat), expected)
