"""The time-dependent encoder: the released layout and arrays, equality with open_clip's tower, properties."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from safetensors.torch import load_file
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.clip_blocks import resize_positions
from sdg.networks.embedding import timestep_embedding
from sdg.networks.pixels import CLIP_MEAN, CLIP_STD
from sdg.networks.small_clip import ImageTower
from sdg.networks.time_clip import TimeResNet
from sdg.networks.time_encoder import Features, from_clip
from tests.golden.fill import fill_state_dict

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = {"layers": (1, 2, 1, 1), "width": 8, "heads": 4, "output_dim": 16, "image_size": 64}
TIME = {"sinusoid_dim": 16, "time_dim": 24}


def make_network(**sizes: Any) -> TimeResNet:
    """A small encoder with PyTorch's random weights."""
    return TimeResNet(**{**SMALL, **TIME, **sizes})


def make_encoder(seed: int = 0, **sizes: Any) -> TimeResNet:
    """A small encoder in eval mode whose weights, statistics and modulation are all far from trivial."""
    encoder = make_network(**sizes).requires_grad_(False)
    encoder.load_state_dict(fill_state_dict(encoder.state_dict(), seed))
    return encoder.eval()


def make_tower(image_size: int = 64) -> ModifiedResNet:
    """open_clip's tower of the same size with random weights and BN statistics."""
    tower = ModifiedResNet(layers=(1, 2, 1, 1), output_dim=16, heads=4, image_size=image_size, width=8)
    tower.load_state_dict(fill_state_dict(tower.state_dict()))
    return tower.requires_grad_(False).eval()


def make_images(batch: int, seed: int = 0, size: int = 64, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, size, size, generator=generator, dtype=torch.float64).to(dtype)


def clip_input(x: Tensor) -> Tensor:
    mean, std = (x.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return ((x + 1) / 2 - mean) / std


def relative_error(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).norm() / expected.norm())


def everything(features: Features) -> list[Tensor]:
    return [*features.stages, features.pooled]


def test_timestep_embedding_is_cosines_then_sines() -> None:
    t = torch.tensor([0, 1, 500, 999])
    expected = [
        [f(step * math.exp(-math.log(10000) * j / 4)) for f in (math.cos, math.sin) for j in range(4)]
        for step in t.tolist()
    ]
    embedding = timestep_embedding(t, 8)
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding, torch.tensor(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dim", [0, 7])
def test_timestep_embedding_rejects_an_odd_or_empty_size(dim: int) -> None:
    with pytest.raises(SDGError, match="even and positive"):
        timestep_embedding(torch.tensor([1]), dim)


def test_keys_and_shapes_are_those_of_the_released_encoders() -> None:
    with torch.device("meta"):
        encoder = TimeResNet()
    ours = {f"{key} {tuple(value.shape)}" for key, value in encoder.state_dict().items()}
    assert ours == set((GOLDEN / "keys_clip_time_rn50x16.txt").read_text().splitlines())
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 260_983_056


def test_each_stage_finds_its_modulations_where_the_released_layout_has_them() -> None:
    with torch.device("meta"):
        channels = TimeResNet().modulated_channels
    first_norm = {"stem": 0, "layer1": 3, "layer2": 21, "layer3": 45, "layer4": 99, "end": 123}
    starts = {part: 2 * sum(channels[:norm]) for part, norm in first_norm.items()}
    assert starts == {
        "stem": 0,
        "layer1": 384,
        "layer2": 7296,
        "layer3": 25728,
        "layer4": 108672,
        "end": 182400,
    }
    assert len(channels) == 123


@pytest.mark.slow
def test_golden_rn50x16() -> None:
    """261 M parameters: moments of the stages, embedding and input gradient of the released encoder."""
    golden = load_file(GOLDEN / "clip_time_rn50x16.safetensors")
    encoder = TimeResNet().requires_grad_(False).eval()
    encoder.load_state_dict(fill_state_dict(encoder.state_dict()))
    x_t = torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(200)) * 0.8
    torch.testing.assert_close(x_t.flatten()[:8], golden["x_first"])

    x_t.requires_grad_()
    features = encoder(x_t, golden["t"])
    cos = F.cosine_similarity(features.pooled, golden["text_feature"])
    (grad,) = torch.autograd.grad(cos.sum(), x_t)

    actual = {"pooled": features.pooled, "cos": cos, "grad": grad[:, :, ::8, ::8]}
    for k, stage in enumerate(features.stages):
        actual[f"stage{k}_mean"] = stage.mean((2, 3))
        actual[f"stage{k}_std"] = stage.std((2, 3))
    errors = {name: relative_error(value.detach(), golden[name]) for name, value in actual.items()}
    # Rounding, also of the weights as they are filled, decides which ReLUs near zero let a gradient through:
    # it has been between 7e-5 and 8e-3 away, depending on processor, release and number of threads.
    assert errors.pop("grad") <= 3e-2
    assert max(errors.values()) <= 1e-4, errors


@pytest.mark.parametrize("t", [torch.tensor([0, 999]), torch.tensor([500])], ids=["each", "shared"])
def test_from_clip_starts_as_the_tower_itself(t: Tensor) -> None:
    tower = make_tower()
    encoder = from_clip(tower, make_network()).eval()
    x_t = make_images(2)
    with torch.no_grad():
        expected = tower.forward_intermediates(clip_input(x_t))
        features = encoder(x_t, t)
    for actual, stage in zip(features.stages, expected["image_intermediates"], strict=True):
        torch.testing.assert_close(actual, stage)
    torch.testing.assert_close(features.pooled, expected["image_features"])


def test_from_clip_at_another_size_is_the_tower_with_its_positions_resized() -> None:
    tower = make_tower(image_size=96)
    encoder = from_clip(tower, make_network()).eval()
    resized = make_tower(image_size=64)
    positions = resize_positions(tower.attnpool.positional_embedding, 2)
    resized.load_state_dict({**tower.state_dict(), "attnpool.positional_embedding": positions})
    x_t = make_images(2)
    with torch.no_grad():
        torch.testing.assert_close(encoder(x_t, torch.tensor([7])).pooled, resized(clip_input(x_t)))


def test_resized_positions_keep_the_mean_row_and_the_layout_of_the_grid() -> None:
    row, column = torch.meshgrid(torch.linspace(0, 1, 12), torch.linspace(0, 1, 12), indexing="ij")
    grid = torch.stack([row, column], dim=-1).reshape(144, 2)
    resized = resize_positions(torch.cat([torch.tensor([[5.0, -5.0]]), grid]), 8)
    assert resized.shape == (65, 2)
    assert resized[0].tolist() == [5.0, -5.0]
    inner = resized[1:].reshape(8, 8, 2)[2:6, 2:6]  # a linear ramp survives resizing away from the border
    centres = (torch.arange(2, 6) + 0.5) / 8 * 12 / 11 - 0.5 / 11
    torch.testing.assert_close(inner[..., 0], centres[:, None].expand(4, 4), rtol=0, atol=5e-3)
    torch.testing.assert_close(inner[..., 1], centres.expand(4, 4), rtol=0, atol=5e-3)


def test_from_clip_copies_the_weights() -> None:
    tower = make_tower()
    before = copy.deepcopy(tower.state_dict())
    encoder = from_clip(tower, make_network())
    for value in encoder.state_dict().values():
        value.add_(1)
    assert all(torch.equal(value, before[key]) for key, value in tower.state_dict().items())


def test_from_clip_takes_half_precision_weights_in_float32() -> None:
    encoder = from_clip(make_tower().half(), make_network())
    assert {value.dtype for value in encoder.state_dict().values()} == {torch.float32, torch.int64}


def test_released_initialisation_draws_from_the_given_generator() -> None:
    def start(seed: int) -> dict[str, Tensor]:
        options = {
            "positional": "random",
            "modulation": "default",
            "generator": torch.Generator().manual_seed(seed),
        }
        return from_clip(tower, make_network(), **options).state_dict()

    tower = make_tower(image_size=256)
    first, again, other = start(1), start(1), start(2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    changed = {key for key in first if not torch.equal(first[key], other[key])}
    time_layers = {key for key in first if key.startswith(("time_embed", "emb_layers"))}
    assert changed == time_layers | {"attn_pool.positional_embedding"}
    channels = 32 * SMALL["width"]
    assert first["attn_pool.positional_embedding"].std() == pytest.approx(channels**-0.5, rel=0.1)
    assert first["emb_layers.1.weight"].abs().max() == pytest.approx(TIME["time_dim"] ** -0.5, rel=0.01)


def test_from_clip_rejects_other_towers_and_options() -> None:
    vit = VisionTransformer(image_size=32, patch_size=16, width=8, layers=1, heads=1, mlp_ratio=1)
    with pytest.raises(SDGError, match="not from a VisionTransformer: choose an RN model"):
        from_clip(vit, make_network())
    for sizes, reason in (
        ({"heads": 2}, r"pool has 4 heads, encoder.network.heads is 2"),
        ({"layers": (1, 1, 1, 1)}, r"differ in 18 weights, such as visual_frozen.11.1.bn1.bias"),
        ({"output_dim": 8}, r"differ in 2 weights, such as attn_pool.c_proj.bias"),
    ):
        with pytest.raises(SDGError, match=reason):
            from_clip(make_tower(), make_network(**sizes))
    with pytest.raises(SDGError, match="positional must be"):
        from_clip(make_tower(), make_network(), positional="bicubic")
    with pytest.raises(SDGError, match="modulation must be"):
        from_clip(make_tower(), make_network(), modulation="one")


def test_the_image_size_must_be_a_multiple_of_32() -> None:
    with pytest.raises(SDGError, match="multiple of 32, got 100: choose 96"):
        make_network(image_size=100)


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(SDGError, match="7 heads do not divide"):
        TimeResNet(**{**SMALL, "heads": 7})


def norm_names(encoder: TimeResNet) -> list[str]:
    """The modulated norms in forward order, written out for layers (1, 2, 1, 1)."""
    blocks = [
        "visual_frozen.10.0",
        "visual_frozen.11.0",
        "visual_frozen.11.1",
        "visual_frozen.12.0",
        "layer4.0",
    ]
    names = [f"visual_frozen.{i}" for i in (1, 4, 7)]
    return names + [f"{block}.bn{i}" for block in blocks for i in (1, 2, 3)]


@pytest.mark.parametrize("kind", ["scale", "shift"])
@pytest.mark.parametrize("t", [torch.tensor([3, 700]), torch.tensor([3])], ids=["each", "shared"])
def test_every_slot_modulates_its_own_norm(kind: str, t: Tensor) -> None:
    """A constant scale s or shift h in one slot equals the same change of that BatchNorm's own affine."""
    encoder = from_clip(make_tower(), make_network()).eval().requires_grad_(False)
    x_t = make_images(2)
    names = norm_names(encoder)
    assert len(names) == len(encoder.modulated_channels)
    unmodulated = encoder(x_t, t).pooled
    start = 0
    for name, channels in zip(names, encoder.modulated_channels, strict=True):
        values = torch.linspace(-0.5, 0.5, channels)
        modulated, rewritten = copy.deepcopy(encoder), copy.deepcopy(encoder)
        slot = (
            slice(start, start + channels)
            if kind == "scale"
            else slice(start + channels, start + 2 * channels)
        )
        modulated.emb_layers[1].bias[slot] = values
        norm = rewritten.get_submodule(name)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.num_features == channels
        if kind == "scale":
            norm.weight.mul_(1 + values)
            norm.bias.mul_(1 + values)
        else:
            norm.bias.add_(values)
        actual, expected = modulated(x_t, t), rewritten(x_t, t)
        assert relative_error(actual.pooled, unmodulated) > 1e-4
        for a, b in zip(everything(actual), everything(expected), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        start += 2 * channels
    assert start == encoder.emb_layers[1].out_features


def test_a_shared_timestep_equals_the_same_one_for_each_image() -> None:
    encoder, x_t = make_encoder(), make_images(3)
    shared, each = encoder(x_t, torch.tensor([420])), encoder(x_t, torch.tensor([420] * 3))
    other = encoder(x_t, torch.tensor([421] * 3))
    for a, b, c in zip(everything(shared), everything(each), everything(other), strict=True):
        assert relative_error(a, b) < 1e-5
        assert relative_error(c, b) > 1e-3


def test_a_shared_timestep_equals_the_same_one_for_each_image_while_training() -> None:
    encoder, x_t = make_encoder().train(), make_images(3)
    twin = copy.deepcopy(encoder)
    shared, each = encoder(x_t, torch.tensor([420])), twin(x_t, torch.tensor([420] * 3))
    assert relative_error(shared.pooled, each.pooled) < 1e-5
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(value, twin.state_dict()[key])
    assert int(encoder.get_buffer("visual_frozen.1.num_batches_tracked")) == 1


def test_samples_of_a_batch_do_not_interact() -> None:
    encoder, x_t, t = make_encoder(), make_images(3), torch.tensor([10, 500, 990])
    before = encoder(x_t, t)
    changed = x_t.clone()
    changed[1] = 3 * make_images(1, seed=1)[0]
    after = encoder(changed, t)
    for a, b in zip(everything(before), everything(after), strict=True):
        torch.testing.assert_close(a[[0, 2]], b[[0, 2]], rtol=0, atol=1e-6)
        assert relative_error(a[1], b[1]) > 1e-2

    x_t.requires_grad_()
    (grad,) = torch.autograd.grad(encoder(x_t, t).pooled[1].sum(), x_t)
    assert grad[1].abs().max() > 0
    assert not grad[[0, 2]].any()


@pytest.mark.parametrize("batch", [1, 2], ids=["shared", "each"])
def test_gradient_of_the_image(batch: int) -> None:
    encoder = make_encoder(layers=(1, 1, 1, 1), width=2, heads=2, output_dim=3, image_size=32).double()
    t = torch.tensor([3, 700])[:batch]
    x_t = make_images(batch, size=32, dtype=torch.float64).requires_grad_()

    def outputs(x: Tensor) -> tuple[Tensor, ...]:
        features = encoder(x, t)
        return (*(stage.square().mean((1, 2, 3)) for stage in features.stages), features.pooled)

    assert torch.autograd.gradcheck(outputs, (x_t,), fast_mode=True)


def test_stages_and_embedding_have_the_documented_shapes() -> None:
    features = make_encoder()(make_images(2), torch.tensor([1]))
    shapes = [tuple(stage.shape[1:]) for stage in features.stages]
    assert shapes == [(8, 16, 16), (32, 16, 16), (64, 8, 8), (128, 4, 4), (256, 2, 2)]
    assert features.pooled.shape == (2, 16)


def test_autocast_does_not_round_a_small_scale_away() -> None:
    encoder, x_t = from_clip(make_tower(), make_network()).eval().requires_grad_(False), make_images(1)
    with torch.autocast("cpu", torch.bfloat16):
        before = encoder(x_t, torch.tensor([1])).stages[0]
        encoder.emb_layers[1].bias[16:24] = 1e-3  # the scale of the stem's third norm
        after = encoder(x_t, torch.tensor([1])).stages[0]
    assert float(after.double().sum() / before.double().sum()) == pytest.approx(1.001, abs=2e-4)


def test_noisy_values_outside_the_range_are_not_clamped() -> None:
    encoder, x_t, t = make_encoder(), make_images(1), torch.tensor([900])
    assert relative_error(encoder(x_t.clamp(-1, 1), t).pooled, encoder(x_t, t).pooled) > 1e-2


def test_channels_last_gives_the_same_features() -> None:
    encoder, x_t, t = make_encoder(), make_images(2), torch.tensor([5, 6])
    expected = encoder(x_t, t)
    actual = copy.deepcopy(encoder).to(memory_format=torch.channels_last)(x_t, t)
    assert actual.stages[2].is_contiguous(memory_format=torch.channels_last)
    for a, b in zip(everything(actual), everything(expected), strict=True):
        assert relative_error(a, b) < 1e-5


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 1, 64, 64), (3, 64, 64)])
def test_wrong_image_shapes_are_one_clear_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(SDGError, match=r"takes 64x64 images, got \d+x.*: resize them"):
        make_encoder()(torch.zeros(shape), torch.tensor([1]))


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
def test_wrong_timestep_shapes_are_one_clear_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(SDGError, match="one t per image or one for all"):
        make_encoder()(make_images(3), torch.zeros(shape, dtype=torch.long))


def test_an_encoder_of_codes_starts_as_clip_behind_a_new_entrance() -> None:
    sizes = {
        "layers": [1, 1, 1, 1],
        "width": 4,
        "heads": 4,
        "output_dim": 16,
        "sinusoid_dim": 8,
        "time_dim": 8,
    }
    visual = ImageTower([1, 1, 1, 1], 4, 4, 16, 32)
    encoder = from_clip(visual, TimeResNet(**sizes, image_size=64, reads_states=True, channels=4)).eval()
    states = 3 * torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    seen = encoder(states, torch.tensor([5]))
    assert seen.pooled.shape == (2, 16)
    torch.testing.assert_close(seen.stages[0], encoder.visual_frozen[:10](states))  # not normalised
    theirs, ours = visual.state_dict(), encoder.state_dict()
    assert torch.equal(ours["visual_frozen.3.weight"], theirs["conv2.weight"])
    assert ours["visual_frozen.0.weight"].shape == (2, 4, 3, 3)
    with pytest.raises(SDGError, match="64x64 images, got 2x3x64x64: resize them to Bx4x64x64"):
        encoder(states[:, :3], torch.tensor([5]))
    with pytest.raises(SDGError, match="pictures have 3 channels, not 4"):
        TimeResNet(**sizes, channels=4)
