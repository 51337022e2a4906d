"""Shift-tolerant LPIPS against its formula, with few made-up weights in the layout of the package's file."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.metrics import stlpips
from sdg.metrics.stlpips import STLPIPSAlex
from sdg.pixels import from_bytes
from tests.golden.fill import fill

CHANNELS = (3, 2, 3, 4, 3, 2)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    blur = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    state = {
        "scaling_layer.shift": torch.full((1, 3, 1, 1), -0.1),
        "scaling_layer.scale": torch.ones(1, 3, 1, 1),
    }
    for layer, (name, kernel) in enumerate(
        [("slice1.0", 11), ("slice2.5", 5), ("slice3.9", 3), ("slice4.11", 3), ("slice5.13", 3)]
    ):
        inputs, outputs = CHANNELS[layer : layer + 2]
        state[f"net.{name}.weight"] = fill(name, (outputs, inputs, kernel, kernel))
        state[f"net.{name}.bias"] = fill(f"{name}.bias", (outputs,))
        state[f"lin{layer}.model.1.weight"] = fill(f"lin{layer}", (1, outputs, 1, 1)).abs()
    for name, channels in (("slice1.1", 2), ("slice2.4", 2), ("slice3.8", 3)):
        state[f"net.{name}.filt"] = blur.expand(channels, 1, 3, 3).clone()
    torch.save(state, tmp_path / "alex.pth")
    return tmp_path / "alex.pth"


def distance(path: Path, one: Tensor, other: Tensor) -> Tensor:
    """Σ over layers of the mean over places of Σ w (û - û')², as the paper has it."""
    state = torch.load(path, weights_only=True)

    def conv(name: str, padding: int) -> nn.Module:
        layer = nn.Conv2d(*state[f"net.{name}.weight"].shape[1::-1], state[f"net.{name}.weight"].shape[2])
        layer.load_state_dict({key: state[f"net.{name}.{key}"] for key in ("weight", "bias")})
        return nn.Sequential(nn.ZeroPad2d(padding), layer)

    def blur(name: str) -> nn.Module:
        filters = state[f"net.{name}.filt"]
        layer = nn.Conv2d(len(filters), len(filters), 3, stride=2, groups=len(filters), bias=False)
        layer.load_state_dict({"weight": filters})
        return nn.Sequential(nn.ReflectionPad2d(2), layer)

    pool = nn.MaxPool2d(3, stride=1)
    layers = [
        nn.Sequential(conv("slice1.0", 2), blur("slice1.1"), nn.ReLU()),
        nn.Sequential(pool, blur("slice2.4"), conv("slice2.5", 2), nn.ReLU()),
        nn.Sequential(pool, blur("slice3.8"), conv("slice3.9", 1), nn.ReLU()),
        nn.Sequential(conv("slice4.11", 1), nn.ReLU()),
        nn.Sequential(conv("slice5.13", 1), nn.ReLU()),
    ]
    x, y = (from_bytes(each) + 0.1 for each in (one, other))
    total = torch.zeros(len(one))
    for number, layer in enumerate(layers):
        x, y = layer(x), layer(y)
        apart = (nn.functional.normalize(x, dim=1) - nn.functional.normalize(y, dim=1)).square()
        total = total + (state[f"lin{number}.model.1.weight"] * apart).sum(dim=1).mean(dim=(1, 2))
    return total.detach()


def test_squared_distances_are_the_metric(weights: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randint(0, 256, (2, 3, 3, 40, 33), generator=generator, dtype=torch.uint8)
    extractor = STLPIPSAlex(weights)
    found = (extractor(one) - extractor(other)).square().sum(dim=1)
    torch.testing.assert_close(found, distance(weights, one, other), rtol=1e-4, atol=1e-6)
    with pytest.raises(SDGError, match="32 px or more"):
        extractor(one[..., :20])


def test_says_how_to_get_the_weights_and_refuses_others(tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="pip install --no-deps stlpips_pytorch, or give"):
        STLPIPSAlex(tmp_path / "nowhere.pth")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(SDGError, match="does not hold stlpips_pytorch's weights"):
        STLPIPSAlex(tmp_path / "other.pth")


@pytest.mark.parametrize("places", [None, ["/somewhere/stlpips_pytorch"]])
def test_weights_are_those_of_the_package_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, places: list[str] | None
) -> None:
    spec = places and SimpleNamespace(submodule_search_locations=places)
    monkeypatch.setattr(stlpips, "find_spec", lambda name: spec)
    found = stlpips._installed()
    assert found is None if places is None else found is not None and str(found).startswith(places[0])
