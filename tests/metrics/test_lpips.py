from pathlib import Path

import pytest
import torch
from torchmetrics.functional.image.lpips import _NoTrainLpips
from torchvision.models import alexnet

from sdg.errors import SDGError
from sdg.metrics.diversity import PairwiseDistance
from sdg.metrics.lpips import LPIPSAlex
from tests.metrics.examples import Known, record, viewed


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AlexNet with generated weights, its trunk alone: torchvision's file has a classifier besides."""
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = alexnet(weights=None).features.state_dict()
    state = {
        f"features.{key}": torch.randn(value.shape, generator=generator) / max(1, value[0].numel()) ** 0.5
        for key, value in shapes.items()
    }
    path = tmp_path_factory.mktemp("lpips") / "alexnet.pth"
    torch.save(state | {"classifier.1.bias": torch.zeros(2)}, path)
    return path


@pytest.fixture(scope="module")
def theirs(weights: Path) -> _NoTrainLpips:
    network = _NoTrainLpips(net="alex", pnet_rand=True)
    state = torch.load(weights)
    own = network.net.state_dict()  # slice2.3.weight is features.3.weight
    network.net.load_state_dict({key: state[f"features.{key.split('.', 1)[1]}"] for key in own})
    return network


def pixels(count: int, size: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (count, 3, size, size + 8), generator=generator, dtype=torch.uint8)


def test_squared_distances_are_the_lpips_of_torchmetrics(weights: Path, theirs: _NoTrainLpips) -> None:
    images = pixels(3)
    features = LPIPSAlex(weights)(images)
    scaled = images.float() / 127.5 - 1
    for i, j in ((0, 1), (0, 2), (1, 2)):
        expected = theirs(scaled[i : i + 1], scaled[j : j + 1]).item()
        assert (features[i] - features[j]).square().sum().item() == pytest.approx(expected, rel=1e-4)
        assert expected > 0.01


def test_diversity_passes_every_picture_through_the_trunk_once(
    weights: Path, theirs: _NoTrainLpips, tmp_path: Path
) -> None:
    images, passed = pixels(4, size=32), []
    extractor = LPIPSAlex(weights)
    extractor.trunk[0].register_forward_hook(lambda _, inputs, __: passed.append(len(inputs[0])))
    samples = Known([record("a", i) for i in range(4)], images)
    (measure,) = PairwiseDistance("lpips")(viewed(samples, tmp_path, lpips=extractor))
    scaled = images.float() / 127.5 - 1
    pairs = [(i, j) for i in range(4) for j in range(i)]
    expected = sum(theirs(scaled[i][None], scaled[j][None]).item() for i, j in pairs) / len(pairs)
    assert measure.value == pytest.approx(expected, rel=1e-4)
    assert sum(passed) == 4


def test_weights_must_be_there_and_alexnets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SDGError, match=r"no AlexNet weights at .*hub/checkpoints/alexnet-owt-7be5be79.pth"):
        LPIPSAlex()
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(SDGError, match="does not hold torchvision's AlexNet"):
        LPIPSAlex(tmp_path / "other.pth")


def test_small_pictures_are_refused(weights: Path) -> None:
    with pytest.raises(SDGError, match="32 px or more"):
        LPIPSAlex(weights)(torch.zeros(1, 3, 16, 40, dtype=torch.uint8))
