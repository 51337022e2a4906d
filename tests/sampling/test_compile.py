"""compile=true and channels_last: the same pictures by networks that compute another way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from sdg.sampling.build import build_method
from tests.sampling.test_controls import pictures, run
from tests.tiny import configure, make_weights

pytestmark = [
    pytest.mark.usefixtures("dynamo"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]
PROMPT = "prompts=[a face]"


@pytest.fixture
def dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


def test_each_network_is_one_graph_and_nothing_else_changes(
    weights: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the compiler's front end alone, which runs the graphs as they are."""
    compiled: list[str] = []
    graphs: list[torch.fx.GraphModule] = []
    original = nn.Module.compile

    def keep(graph: torch.fx.GraphModule, example: list[torch.Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    def front_end(module: nn.Module) -> None:
        compiled.append(type(module).__name__)
        original(module, backend=keep, fullgraph=True)

    monkeypatch.setattr(nn.Module, "compile", front_end)
    run(weights, tmp_path / "plain", PROMPT)
    assert not compiled
    run(weights, tmp_path / "fast", PROMPT, "compile=true")
    assert compiled == ["RefinedUNet", "TimeResNet"]
    # The encoder is asked with a gradient at every step, and without one for the finished pictures.
    assert len(graphs) == 3
    assert pictures(tmp_path / "fast") == pictures(tmp_path / "plain")
    plain, fast = (
        build_method(configure("sample", [*weights, f"compile={flag}"])) for flag in ("false", "true")
    )
    assert fast.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.slow
def test_the_compiler_draws_the_same_pictures(weights: list[str], tmp_path: Path) -> None:
    run(weights, tmp_path / "plain", PROMPT)
    run(weights, tmp_path / "fast", PROMPT, "compile=true")
    assert_neighbours(tmp_path)


def test_channels_last_draws_the_same_pictures(weights: list[str], tmp_path: Path) -> None:
    setting = "channels_last=true"
    run(weights, tmp_path / "plain", PROMPT)
    run(weights, tmp_path / "fast", PROMPT, setting)
    assert_neighbours(tmp_path)
    method = build_method(configure("sample", [*weights, setting]))
    for network in (method.denoiser.network, method.aims.guidance.encoder):
        maps = [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in maps)


def assert_neighbours(folder: Path) -> None:
    """Sums are taken in another order, so a byte may round to its neighbour."""
    names = pictures(folder / "plain").keys()
    assert len(names) == 6
    for name in names:
        one, other = (
            np.asarray(Image.open(folder / kind / "samples" / name)).astype(int) for kind in ("plain", "fast")
        )
        assert abs(one - other).max() <= 1
        assert (one == other).mean() > 0.99
