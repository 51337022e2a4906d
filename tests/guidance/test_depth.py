"""The encoder is computed as deep as a term reads and no deeper: counted, and with the same numbers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sdg.diffusion.codec import Pixels
from sdg.diffusion.level import Level
from sdg.guidance.content import Content
from sdg.guidance.eyes import Eyes
from sdg.guidance.guidance import Guidance
from sdg.guidance.stages import STAGES
from sdg.guidance.structure import Structure
from sdg.guidance.style import Style
from sdg.guidance.term import Term
from sdg.guidance.text import Text
from sdg.networks.time_clip import TimeResNet
from sdg.networks.time_encoder import POOLED, Features, TimeEncoder
from sdg.networks.time_vit import TimeViT
from tests.golden.fill import fill_state_dict

LEVEL, T = Level.vp(500, 0.3, 0.5), torch.tensor([500])
X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def resnet() -> TimeResNet:
    return TimeResNet((1, 1, 1, 1), 8, 4, 16, image_size=32, sinusoid_dim=16, time_dim=24)


def vit() -> TimeViT:
    return TimeViT(
        layers=4, width=32, heads=2, patch=8, output_dim=16, stages=(0, 1, 2, 3, 4), image_size=32,
        sinusoid_dim=16, time_dim=24,
    )  # fmt: skip


def filled(encoder: TimeEncoder) -> TimeEncoder:
    encoder.load_state_dict(fill_state_dict(encoder.state_dict()))
    return encoder.eval()


def ran(encoder: nn.Module, names: dict[str, str]) -> list[str]:
    """A list that fills with the names of the parts that run."""
    found: list[str] = []
    for name, path in names.items():
        encoder.get_submodule(path).register_forward_hook(lambda *_, name=name: found.append(name))
    return found


PARTS = {
    "layer1": "visual_frozen.10.0",
    "layer2": "visual_frozen.11.0",
    "layer3": "visual_frozen.12.0",
    "layer4": "layer4.0",
    "pool": "attn_pool",
}


@pytest.mark.parametrize(
    "term, read",
    [
        (Structure({"stem": 1.0}), []),
        (Structure({"layer2": 1.0, "layer1": 0.5}), ["layer1", "layer2"]),
        (Style({"layer3": 1.0}), ["layer1", "layer2", "layer3"]),
        (Style(), ["layer1", "layer2", "layer3", "layer4"]),
        (Content(), [*PARTS]),
        (Text(), [*PARTS]),
    ],
)
def test_what_no_term_reads_does_not_run(term: Term, read: list[str]) -> None:
    encoder = filled(resnet())
    found = ran(encoder, PARTS)
    guidance = Guidance(Eyes(encoder, Pixels(), 32, 3), {"it": term}, scale=1.0)
    target: Any = torch.ones(2, 16) if isinstance(term, Text) else guidance.encode(-X, LEVEL)
    found.clear()
    guidance(X, LEVEL, {"it": target}, torch.ones(2))
    assert found == read


def test_two_terms_share_a_forward_as_deep_as_the_deeper_reads() -> None:
    terms = {"near": Structure({"stem": 1.0}), "far": Style({"layer2": 1.0})}
    encoder = filled(resnet())
    found = ran(encoder, PARTS)
    guidance = Guidance(encoder, terms, scale=1.0)
    guidance.encode(X, LEVEL)
    assert found == ["layer1", "layer2"]


@pytest.mark.parametrize("make", [resnet, vit])
@pytest.mark.parametrize("depth", [0, 2, 4])
def test_a_shallow_forward_is_the_beginning_of_the_whole_one(make: Any, depth: int) -> None:
    encoder = filled(make())
    with torch.no_grad():
        whole, part, said = encoder(X, T), encoder(X, T, depth), encoder(X, T, POOLED)
    assert len(whole.stages) == len(STAGES) == POOLED
    assert len(part.stages) == depth + 1
    assert all(map(torch.equal, part.stages, whole.stages[: depth + 1]))
    assert part.pooled.shape == (2, 0)
    assert torch.equal(whole.pooled, said.pooled)


def test_the_gradient_is_that_of_the_whole_encoder() -> None:
    encoder, term = filled(resnet()), Structure({"layer1": 1.0})
    guidance = Guidance(encoder, {"it": term}, scale=1.0)
    target = guidance.encode(-X, LEVEL)
    x = X.clone().requires_grad_()
    (expected,) = torch.autograd.grad(term(encoder(x, T), target).sum(), x)
    torch.testing.assert_close(guidance(X, LEVEL, {"it": target}, torch.ones(2)).gradient, expected)


def test_an_encoder_of_ones_own_is_asked_as_before() -> None:
    class Own(nn.Module):
        image_size = 32

        def forward(self, x: Tensor, t: Tensor) -> Features:
            return Features((x, x), x.flatten(1))

    guidance = Guidance(Eyes(Own(), Pixels(), 32, 3), {"it": Structure({"stem": 1.0})}, scale=1.0)
    assert torch.equal(guidance.encode(X, LEVEL).pooled, X.flatten(1))
