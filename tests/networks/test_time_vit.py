"""The time-dependent vision transformer: equality with open_clip's tower, training, guiding, properties."""

import copy
from typing import Any

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from sdg.diffusion.level import Level
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.structure import Structure
from sdg.guidance.style import Style
from sdg.guidance.text import Text
from sdg.networks.clip_blocks import resize_positions
from sdg.networks.time_clip import TimeResNet
from sdg.networks.time_encoder import Features, from_clip
from sdg.networks.time_vit import TimeViT
from sdg.training.objectives import distillation_loss
from tests.golden.fill import fill_state_dict
from tests.networks.test_time_clip import clip_input, everything, make_images, relative_error

SMALL = {"patch": 8, "width": 16, "layers": 4, "heads": 2, "output_dim": 12, "stages": (0, 1, 2, 3, 4)}
TIME = {"sinusoid_dim": 16, "time_dim": 24}


def make_network(**sizes: Any) -> TimeViT:
    """A small encoder with PyTorch's random weights."""
    return TimeViT(**{**SMALL, "image_size": 32, **TIME, **sizes})


def make_encoder(**sizes: Any) -> TimeViT:
    """A small encoder in eval mode whose weights and modulation are all far from trivial."""
    encoder = make_network(**sizes).requires_grad_(False)
    encoder.load_state_dict(fill_state_dict(encoder.state_dict()))
    return encoder.eval()


def make_tower(image_size: int = 32, heads: int = 2, act_layer: Any = QuickGELU) -> VisionTransformer:
    """open_clip's tower of the same size with random weights."""
    tower = VisionTransformer(image_size, 8, 16, 4, heads, mlp_ratio=4.0, output_dim=12, act_layer=act_layer)
    tower.load_state_dict(fill_state_dict(tower.state_dict()))
    return tower.requires_grad_(False).eval()


@pytest.mark.parametrize("t", [torch.tensor([0, 999]), torch.tensor([500])], ids=["each", "shared"])
@pytest.mark.parametrize("activation", [QuickGELU, nn.GELU])
def test_from_clip_starts_as_the_tower_itself(t: Tensor, activation: Any) -> None:
    tower = make_tower(act_layer=activation)
    encoder = from_clip(tower, make_network(quick_gelu=activation is QuickGELU)).eval()
    x_t = make_images(2, size=32)
    with torch.no_grad():
        expected = tower.forward_intermediates(clip_input(x_t))
        features = encoder(x_t, t)
    torch.testing.assert_close(features.pooled, tower(clip_input(x_t)), rtol=0, atol=1e-5)
    for actual, stage in zip(features.stages[1:], expected["image_intermediates"], strict=True):
        torch.testing.assert_close(actual, stage, rtol=1e-5, atol=1e-5)


def test_from_clip_at_another_size_is_the_tower_with_its_positions_resized() -> None:
    tower, resized = make_tower(image_size=56), make_tower(image_size=32)
    positions = resize_positions(tower.positional_embedding, 4)
    resized.load_state_dict({**tower.state_dict(), "positional_embedding": positions})
    encoder, x_t = from_clip(tower, make_network()).eval(), make_images(2, size=32)
    with torch.no_grad():
        expected = resized(clip_input(x_t))
        torch.testing.assert_close(encoder(x_t, torch.tensor([7])).pooled, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("patch", [32, 16])
@torch.no_grad()
def test_vit_b_of_full_size_starts_as_open_clips_own(patch: int) -> None:
    model = open_clip.create_model(f"ViT-B-{patch}-quickgelu").eval()
    model.visual.load_state_dict(fill_state_dict(model.visual.state_dict()))
    x_t = make_images(1, size=224)
    encoder = from_clip(model.visual, TimeViT(patch=patch, image_size=224)).eval()
    expected = model.visual(clip_input(x_t))
    actual = encoder(x_t, torch.tensor([500])).pooled
    assert float((actual - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_from_clip_rejects_what_does_not_fit() -> None:
    resnet = TimeResNet((1, 1, 1, 1), 8, 4, 16, image_size=32, **TIME)
    with pytest.raises(SDGError, match="not from a TimeResNet: choose a ViT model"):
        from_clip(resnet, make_network())
    with pytest.raises(SDGError, match=r"this CLIP has 4 heads, QuickGELU.* and encoder.network 2 heads"):
        from_clip(make_tower(heads=4), make_network())
    with pytest.raises(SDGError, match=r"2 heads, GELU, .* set encoder.network.heads and .quick_gelu"):
        from_clip(make_tower(act_layer=nn.GELU), make_network())
    with pytest.raises(SDGError, match=r"differ in 12 weights, such as visual.transformer.resblocks.3.attn"):
        from_clip(make_tower(), make_network(layers=3, stages=(0, 1, 2, 3, 3)))


@pytest.mark.parametrize(
    "sizes, reason",
    [
        ({"image_size": 30}, "multiple of 8, got 30: choose 32"),
        ({"heads": 3}, "3 heads do not divide the 16 channels"),
        ({"stages": (1, 2)}, "not five places from 0 to 4"),
        ({"stages": (0, 1, 2, 3, 5)}, "not five places from 0 to 4"),
    ],
)
def test_sizes_that_cannot_be_are_one_clear_error(sizes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SDGError, match=reason):
        make_network(**sizes)


def test_stages_are_the_tokens_of_the_chosen_blocks_as_maps() -> None:
    encoder, chosen = make_encoder(), make_encoder(stages=(4, 2, 2, 1, 0))
    x_t, t = make_images(2, size=32), torch.tensor([1])
    features = encoder(x_t, t)
    assert [tuple(stage.shape) for stage in features.stages] == [(2, 16, 4, 4)] * 5
    assert features.pooled.shape == (2, 12)
    for place, stage in zip((4, 2, 2, 1, 0), chosen(x_t, t).stages, strict=True):
        assert torch.equal(stage, features.stages[place])
    # Row, then column: before the first block a token has seen its own patch alone.
    x_t[:, :, 8:16, 24:32] += 1
    changed = (encoder(x_t, t).stages[0] - features.stages[0]).abs().amax(dim=(0, 1)) > 0
    assert changed.nonzero().tolist() == [[1, 3]]


@pytest.mark.parametrize("kind", ["scale", "shift"])
@pytest.mark.parametrize("t", [torch.tensor([3, 700]), torch.tensor([3])], ids=["each", "shared"])
def test_every_slot_modulates_its_own_norm(kind: str, t: Tensor) -> None:
    """A constant scale s or shift h in one slot equals the same change of that LayerNorm's own affine."""
    encoder = from_clip(make_tower(), make_network()).eval().requires_grad_(False)
    x_t, values = make_images(2, size=32), torch.linspace(-0.5, 0.5, 16)
    names = [f"transformer.resblocks.{i}.ln_{k}" for i in range(4) for k in (1, 2)] + ["ln_post"]
    unmodulated = encoder(x_t, t).pooled
    for index, name in enumerate(names):
        modulated, rewritten = copy.deepcopy(encoder), copy.deepcopy(encoder)
        start = 32 * index + (0 if kind == "scale" else 16)
        modulated.emb_layers[1].bias[start : start + 16] = values
        norm = rewritten.visual.get_submodule(name)
        if kind == "scale":
            norm.weight.mul_(1 + values)
            norm.bias.mul_(1 + values)
        else:
            norm.bias.add_(values)
        actual, expected = modulated(x_t, t), rewritten(x_t, t)
        assert relative_error(actual.pooled, unmodulated) > 1e-4
        for a, b in zip(everything(actual), everything(expected), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert len(names) * 32 == encoder.emb_layers[1].out_features


def test_a_shared_timestep_equals_the_same_one_for_each_image() -> None:
    encoder, x_t = make_encoder(), make_images(3, size=32)
    shared, each = encoder(x_t, torch.tensor([420])), encoder(x_t, torch.tensor([420] * 3))
    other = encoder(x_t, torch.tensor([421] * 3))
    for a, b in zip(everything(shared), everything(each), strict=True):
        assert relative_error(a, b) < 1e-5
    assert relative_error(other.pooled, each.pooled) > 1e-3


def test_it_guides_every_sample_by_itself() -> None:
    """Words, structure and style at once: a finite gradient that owes nothing to the rest of the batch."""
    terms = {
        "text": Text(),
        "structure": Structure({"stem": 1.0, "layer4": 1.0}),
        "style": Style(weight=1e-8),
    }
    guidance = Guidance(make_encoder(), terms, scale=100.0)
    level, scale = Level.vp(500, 0.08, 0.5), torch.full((3,), 100.0)
    x_t, reference = make_images(3, size=32), make_images(3, seed=1, size=32)
    words = F.normalize(torch.randn(3, 12, generator=torch.Generator().manual_seed(2)), dim=-1)

    def steer(rows: list[int]) -> Tensor:
        aim: Features = guidance.encode(reference[rows], level)
        targets = {"text": words[rows], "structure": aim, "style": aim}
        return guidance(x_t[rows], level, targets, scale[rows]).gradient

    gradient = steer([0, 1, 2])
    assert gradient.isfinite().all()
    for row in range(3):
        assert gradient[row].abs().max() > 0
        assert relative_error(gradient[row], steer([row])[0]) < 1e-4


def test_gradient_of_the_image() -> None:
    encoder = make_encoder().double()
    x_t = make_images(2, size=32, dtype=torch.float64).requires_grad_()

    def outputs(x: Tensor) -> tuple[Tensor, ...]:
        features = encoder(x, torch.tensor([3, 700]))
        return (*(stage.square().mean((1, 2, 3)) for stage in features.stages), features.pooled)

    assert torch.autograd.gradcheck(outputs, (x_t,), fast_mode=True)


def test_it_learns_to_see_through_noise() -> None:
    """The paper's fine-tuning at toy size: the loss on noised images falls, and time layers move."""
    tower, schedule = make_tower(), NoiseSchedule.linear()
    encoder = from_clip(tower, make_network())
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=3e-3, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    images = make_images(16, size=32).clamp(-1, 1)
    teacher = F.normalize(tower(clip_input(images)), dim=-1)
    losses = []
    for _ in range(60):
        t = torch.randint(300, (16,), generator=generator)
        x_t = schedule.diffuse(images, t, torch.randn(images.shape, generator=generator))
        loss = distillation_loss(F.normalize(encoder(x_t, t).pooled, dim=-1), teacher)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
    assert encoder.emb_layers[1].weight.abs().max() > 0
