from importlib import import_module
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics import manifold
from sdg.metrics.intervals import Spread, mean_spread
from sdg.metrics.manifold import Manifold, prdc
from sdg.metrics.units import Units
from tests.metrics.examples import Known, Thumbnail, viewed


def normal(count: int, width: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def test_precision_and_recall_equal_torch_fidelity_on_the_same_features() -> None:
    fidelity = import_module("torch_fidelity.metric_prc")
    a, b = normal(150, 6, 0, shift=0.5), normal(130, 6, 1)
    theirs = fidelity.prc_features_to_metric(a.double(), b.double(), prc_neighborhood=3, verbose=False)
    ours = prdc(a, b, k=3)
    assert ours.precision.mean().item() == pytest.approx(theirs["precision"])
    assert ours.recall.mean().item() == pytest.approx(theirs["recall"])
    assert 0.5 < theirs["precision"] < theirs["recall"] < 1


def test_all_four_by_hand_on_a_line() -> None:
    """Nearest neighbours 1 away: the reference's balls are [-1, 2], [9, 12] and [109, 111] with both ends."""
    reference = torch.tensor([[0.0], [1.0], [10.0], [11.0], [110.0], [111.0]])
    samples = torch.tensor([[0.5], [2.0], [50.0], [60.0]])  # radii 1.5, 1.5, 10, 10
    found = prdc(samples, reference, k=1, k_density=1)
    assert found.precision.tolist() == [1, 1, 0, 0]
    assert found.density.tolist() == [2, 1, 0, 0]
    assert found.recall.tolist() == [1, 1, 0, 0, 0, 0]
    assert found.coverage.tolist() == [1, 1, 0, 0, 0, 0]


def test_density_and_coverage_have_balls_of_their_own() -> None:
    """On a line with gaps 1, 2 and 4: radii 1, 1, 2, 4 for k = 1, and 3, 2, 3, 6 for k = 2."""
    reference = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    samples = torch.tensor([[-2.0], [2.5], [13.0], [40.0]])
    found = prdc(samples, reference, k=1, k_density=2)
    assert found.precision.tolist() == [0, 1, 0, 0]  # 2.5 is within 2 of 3
    assert found.density.tolist() == [1 / 2, 4 / 2, 1 / 2, 0]  # -2 is near 0; 2.5 is near all; 13 is near 7
    assert found.coverage.tolist() == [1, 1, 1, 1]
    swapped = prdc(samples, reference, k=2, k_density=1)
    assert swapped.precision.tolist() == [1, 1, 1, 0]
    assert swapped.density.tolist() == [0, 1, 0, 0]
    assert swapped.coverage.tolist() == [0, 0, 1, 0]


def test_three_neighbours_for_precision_and_recall_and_five_for_density_and_coverage(tmp_path: Path) -> None:
    """The published choices are the defaults, of the function and of the metric."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (60, 3, 4, 4), generator=generator, dtype=torch.uint8)
    pixels[:30] = pixels[:30] // 8 * 7  # darker: every measure then depends on its k
    a, b = (F.adaptive_avg_pool2d(part.float() / 255, 2).flatten(1) for part in pixels.split(30))
    three, five = prdc(a, b, k=3, k_density=3), prdc(a, b, k=5, k_density=5)
    expected = [three.precision, three.recall, five.density, five.coverage]
    for ours, theirs in zip(prdc(a, b)[:4], expected, strict=True):
        assert torch.equal(ours, theirs)
    for other, theirs in zip([*five[:2], *three[2:4]], expected, strict=True):
        assert not torch.equal(other, theirs)
    evidence = viewed(Known(pixels=pixels[:30]), tmp_path, Known(pixels=pixels[30:]), thumbs=Thumbnail())
    measured = Manifold("thumbs")(evidence)
    assert [each.value for each in measured] == pytest.approx([each.mean().item() for each in expected])
    (fewer, *_) = Manifold("thumbs", k=5, k_density=3)(evidence)
    assert fewer.value == pytest.approx(five.precision.mean().item())


def test_strips_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = normal(50, 3, 0, shift=0.3), normal(41, 3, 1)
    whole = prdc(a, b)
    monkeypatch.setattr(manifold, "_CHUNK", 7)
    parts = prdc(a, b)
    for part, all_at_once in zip([*parts[:4], *parts.lost[::2]], [*whole[:4], *whole.lost[::2]], strict=True):
        torch.testing.assert_close(part, all_at_once, rtol=1e-12, atol=0)
    for part, all_at_once in zip(parts.lost[1::2], whole.lost[1::2], strict=True):
        assert torch.equal(part[0], all_at_once[0])
    assert whole.density.max() > 1


def test_collapse_costs_recall_and_not_precision(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (120, 3, 4, 4), generator=generator, dtype=torch.uint8)
    collapsed = pixels[:1] + torch.randint(2, (60, 3, 4, 4), generator=generator, dtype=torch.uint8)
    reference = Known(pixels=pixels[60:])
    good, bad = (
        {
            each.name: each
            for each in Manifold("thumbs")(viewed(known, tmp_path, reference, thumbs=Thumbnail()))
        }
        for known in (Known(pixels=pixels[:60]), Known(pixels=collapsed))
    )
    assert good["recall"].interval is not None
    assert good["recall"].interval[0] > bad["recall"].value
    assert good["coverage"].value > 0.8 > bad["coverage"].value
    assert good["density"].value == pytest.approx(1, abs=0.4)


def test_what_is_lost_without_a_group_by_hand_on_a_line() -> None:
    """As above; samples 0.5 and 2 are of one noise, 50 and 60 of another, and each of a prompt of its own."""
    reference = torch.tensor([[0.0], [1.0], [10.0], [11.0], [110.0], [111.0]])
    samples = torch.tensor([[0.5], [2.0], [50.0], [60.0]])
    units = Units({"noise": [0, 0, 1, 1], "prompt": range(4)})
    lost = prdc(samples, reference, k=1, k_density=1, units=units).lost
    # 2 is in the ball of 1 alone, 0.5 in those of 0 and 1; so the ball of 1 alone makes one sample of four.
    assert lost.precision.tolist() == [0, 0.25, 0, 0, 0, 0]
    assert lost.density.tolist() == [0.25, 0.5, 0, 0, 0, 0]
    by_noise, by_prompt, _ = lost.recall
    assert by_noise.tolist() == [2 / 6, 0]
    assert by_prompt.tolist() == [1 / 6, 0, 0, 0]  # 1 is in the balls of both
    by_noise, by_prompt, _ = lost.coverage
    assert by_noise.tolist() == [2 / 6, 0]
    assert by_prompt.tolist() == [1 / 6, 0, 0, 0]


def test_needs_more_pictures_than_neighbours() -> None:
    with pytest.raises(SDGError, match="more than 5 pictures a set, here are 5"):
        prdc(normal(30, 2, 0), normal(5, 2, 1))


def test_what_pictures_bring_each_for_themselves_is_counted_once() -> None:
    """Of samples that vary by 0.5, 0.2 of it alone, and a reference by 0.3; halves say 0.35 for both."""

    def spread(variance: float) -> Spread:
        values = torch.tensor([1.0, -1.0, 1.0, -1.0])
        own = mean_spread(Units.alone(4), values)
        return own.scaled((variance / own.variance) ** 0.5)

    for samples, alone, right in ((0.5, 0.2, 0.3 + 0.35), (0.5, 0.6, 0.35)):
        both = manifold._counted_once(spread(samples), spread(0.3), spread(alone), 0.35)
        assert sum(each.variance for each in both) == pytest.approx(right)
        assert both[0].variance / both[1].variance == pytest.approx(samples / 0.3)
