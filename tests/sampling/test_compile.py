"""compile=true and channels_last: networks that compute the same another way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from sdg.diffusion.noise import NoiseSource
from sdg.sampling.build import build_method
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.plan import PlanEntry
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


@pytest.mark.slow
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
def test_the_compiler_computes_the_same(weights: list[str]) -> None:
    assert_neighbours(method(weights), method(weights, "compile=true"))


def test_channels_last_computes_the_same(weights: list[str]) -> None:
    other = method(weights, "channels_last=true")
    assert_neighbours(method(weights), other)
    for network in (other.denoiser.network, other.aims.guidance.encoder):
        maps = [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in maps)


def method(weights: list[str], *settings: str) -> GuidedSampling:
    return build_method(configure("sample", [*weights, "sampler.steps=4", *settings]))


def assert_neighbours(one: GuidedSampling, other: GuidedSampling) -> None:
    """At one step, of which a chain would make more: sums are taken in another order."""
    x = NoiseSource([(0, index) for index in range(4)]).normal((3, 32, 32))
    entries = [PlanEntry(index, "a face", None, 0, index, 30.0) for index in range(4)]
    for step in one.timeline.steps[1:3]:
        clean, gradients = zip(
            *(
                (each.denoiser(x, step).x0, each.aims(entries).rise(x, step.level).gradient)
                for each in (one, other)
            ),
            strict=True,
        )
        assert torch.linalg.vector_norm(clean[0] - clean[1]) < 1e-5 * torch.linalg.vector_norm(clean[0])
        apart = torch.linalg.vector_norm(gradients[0] - gradients[1])
        assert apart < 1e-4 * torch.linalg.vector_norm(gradients[0])
