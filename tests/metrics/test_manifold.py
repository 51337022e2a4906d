from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics import manifold
from sdg.metrics.manifold import Manifold, prdc
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


def test_strips_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = normal(50, 3, 0, shift=0.3), normal(41, 3, 1)
    whole = prdc(a, b)
    monkeypatch.setattr(manifold, "_CHUNK", 7)
    for part, all_at_once in zip(prdc(a, b), whole, strict=True):
        assert torch.equal(part, all_at_once)
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


def test_needs_more_pictures_than_neighbours() -> None:
    with pytest.raises(SDGError, match="more than 5 pictures a set, here are 5"):
        prdc(normal(30, 2, 0), normal(5, 2, 1))
