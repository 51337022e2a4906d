"""StyleGAN2: the public layout and golden array, latents and noise, the discriminator."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError
from sdg.networks.stylegan2 import ModulatedConv, PixelNorm, StyleGAN2, truncate
from sdg.networks.stylegan2_discriminator import Discriminator, ResidualDown, batch_deviation
from sdg.randomness import keyed_generator
from tests.golden.fill import fill_equalized

GOLDEN = Path(__file__).parents[1] / "golden"


def filled(generator: StyleGAN2) -> StyleGAN2:
    for key, value in generator.state_dict().items():
        if not key.endswith("kernel"):
            value.copy_(fill_equalized(key, value.shape))
    return generator


def make_small() -> StyleGAN2:
    return filled(StyleGAN2(16, latent_dim=8, mapping_layers=2, channel_max=8))


def normal(*shape: int, key: int = 0) -> Tensor:
    return torch.randn(shape, generator=keyed_generator("stylegan2 tests", key))


@pytest.mark.parametrize("image_size, tensors", [(256, 135), (1024, 171)])
def test_keys_and_shapes_are_those_of_the_converted_checkpoints(image_size: int, tensors: int) -> None:
    with torch.device("meta"):
        state = StyleGAN2(image_size).state_dict()
    ours = [f"{key} {tuple(value.shape)}" for key, value in state.items()]
    assert set(ours) == set((GOLDEN / f"stylegan2_keys_{image_size}.txt").read_text().splitlines())
    assert len(ours) == tensors


@torch.no_grad()
def test_pictures_equal_the_golden_arrays() -> None:
    golden = load_file(GOLDEN / "stylegan2.safetensors")
    with torch.device("meta"):  # no time for an initialisation that is overwritten
        generator = StyleGAN2(64)
    kernels = {
        name: module.kernel for name, module in StyleGAN2(8, 8).named_modules() if hasattr(module, "kernel")
    }
    generator.to_empty(device="cpu")
    for key, value in generator.state_dict().items():
        value.copy_(
            kernels["convs.0.conv.blur"] if key.endswith("kernel") else fill_equalized(key, value.shape)
        )
    assert relative_error(generator.mapping(golden["z"]), golden["w"]) <= 1e-5
    assert relative_error(generator(golden["z"]), golden["image"]) <= 1e-4
    assert relative_error(generator.synthesis(golden["w_plus"]), golden["image_w_plus"]) <= 1e-4


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@torch.no_grad()
def test_one_latent_for_all_layers_is_that_latent_for_each() -> None:
    generator, w = make_small(), normal(2, 8)
    assert torch.equal(generator.synthesis(w), generator.synthesis(w[:, None].expand(-1, 6, -1)))
    z = normal(2, 8, key=1)
    assert torch.equal(generator(z), generator.synthesis(generator.mapping(z)))


@torch.no_grad()
def test_every_layer_reads_its_own_latent() -> None:
    generator, w = make_small(), normal(1, 6, 8)
    image = generator.synthesis(w)
    for layer in range(6):
        other = w.clone()
        other[:, layer] += 1
        assert (generator.synthesis(other) - image).abs().max() > 1e-3


@torch.no_grad()
def test_noise_comes_from_the_sample_or_from_the_checkpoint() -> None:
    generator, w = make_small(), normal(1, 8).expand(3, -1)
    stored = generator.synthesis(w)
    torch.testing.assert_close(stored[0], stored[1])
    drawn = generator.synthesis(w, NoiseSource([(0, 5), (0, 6), (0, 5)]))
    torch.testing.assert_close(drawn[0], drawn[2])
    assert (drawn[0] - drawn[1]).abs().max() > 1e-2
    alone = generator.synthesis(w[:1], NoiseSource([(0, 6)]))
    torch.testing.assert_close(alone[0], drawn[1], rtol=1e-4, atol=1e-5)


def test_noise_is_drawn_layer_by_layer_in_the_order_of_the_stored_maps() -> None:
    shapes: list[tuple[int, ...]] = []

    class Recorder:
        def normal(self, shape: Sequence[int], device: torch.device | str) -> Tensor:
            shapes.append(tuple(shape))
            return torch.zeros(1, *shape)

    generator = make_small()
    generator.synthesis(normal(1, 8), Recorder())
    assert shapes == [tuple(stored.shape[1:]) for stored in generator.noises.buffers()]


def test_truncation_keeps_the_mean_and_shrinks_the_rest() -> None:
    w, mean = normal(4, 6, 8), normal(8, key=1)
    assert torch.equal(truncate(w, mean, 0.0), mean.expand(4, 6, 8))
    torch.testing.assert_close(truncate(w, mean, 1.0), w)
    torch.testing.assert_close(truncate(w, mean, 0.5) - mean, (w - mean) / 2)


@torch.no_grad()
def test_modulating_the_input_is_modulating_the_weights() -> None:
    """The paper writes a kernel for each sample; we never build them."""
    conv, x, w = ModulatedConv(4, 6, 3, latent_dim=8), normal(2, 4, 5, 5), normal(2, 8, key=1)
    for sample in range(2):
        kernel = conv.weight[0] * conv.scale * conv.modulation(w)[sample][:, None, None]
        kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        by_hand = F.conv2d(x[sample : sample + 1], kernel, padding=1)
        torch.testing.assert_close(conv(x, w)[sample : sample + 1], by_hand, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_epsilons_are_1e_8() -> None:
    """Where what is divided by is of that size itself: latents and styles of 1e-4."""
    z = 1e-4 * torch.tensor([[1.0, -1.0, 1.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(PixelNorm()(z), z / (1e-8 + 1e-8) ** 0.5)
    conv = ModulatedConv(4, 6, 3, latent_dim=8).double()
    conv.modulation.weight.zero_()
    conv.modulation.bias.fill_(1e-4)
    x = normal(1, 4, 5, 5).double()
    kernel = 1e-4 * conv.weight[0] / 6  # 6 = √(4 · 3 · 3)
    kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
    torch.testing.assert_close(conv(x, torch.zeros(1, 8).double()), F.conv2d(x, kernel, padding=1))


@pytest.mark.parametrize("image_size", [4, 48, 0])
def test_sizes_that_no_stylegan_has_are_refused(image_size: int) -> None:
    with pytest.raises(SDGError, match=rf"not {image_size}: choose one of these"):
        StyleGAN2(image_size, 8)


@pytest.mark.parametrize("shape", [(2, 9), (2, 5, 8), (8,)])
def test_latents_of_another_generator_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SDGError, match=r"takes latents Bx8 or Bx6x8, got .*: use latents of the same"):
        make_small().synthesis(torch.zeros(shape))


def test_the_deviation_of_a_batch_is_told_apart_by_group() -> None:
    same = normal(1, 3, 4, 4).expand(4, -1, -1, -1)
    assert batch_deviation(same, 4).max() < 1e-3
    x = torch.cat([same[:2], normal(2, 3, 4, 4, key=1)])[[0, 2, 1, 3]]  # groups of 2: pictures 0, 2 and 1, 3
    deviation = batch_deviation(x, 2)
    assert deviation.shape == (4, 1, 4, 4)
    assert deviation[0].max() == deviation[2].max() < 1e-3
    expected = ((x[1] - x[3]).abs() / 2).mean()
    torch.testing.assert_close(deviation[1].mean(), expected, rtol=1e-3, atol=1e-3)
    assert batch_deviation(x[:3], 4).unique().numel() == 1  # 3 pictures cannot form groups of 4


def by_hand(block: ResidualDown, x: Tensor) -> Tensor:
    """A block of the discriminator from its weights alone (Karras et al. 2020, figure 7)."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8

    def blur(maps: Tensor) -> Tensor:
        """Rows, then columns, each a weighted mean of four."""
        for dim in (2, 3):
            padded = F.pad(maps, (1, 1, 0, 0) if dim == 3 else (0, 0, 1, 1))
            size = maps.shape[dim] - 1
            maps = sum((row[k] * padded.narrow(dim, k, size) for k in range(4)), torch.zeros(()).double())
        return maps

    def leaky(maps: Tensor) -> Tensor:
        return 2**0.5 * torch.where(maps < 0, 0.2 * maps, maps)

    channels = x.shape[1]
    first = F.conv2d(x, block.conv1.weight / (9 * channels) ** 0.5, padding=1)
    first = leaky(first + block.conv1.bias[:, None, None])
    second = F.conv2d(blur(first), block.conv2.weight / (9 * channels) ** 0.5, stride=2, padding=1)
    second = leaky(second + block.conv2.bias[:, None, None])
    skip = F.conv2d(blur(x), block.skip.weight / channels**0.5, stride=2)
    return (second + skip) / 2**0.5


@torch.no_grad()
def test_a_block_of_the_discriminator_blurs_shrinks_and_adds_its_skip() -> None:
    block = ResidualDown(4, 6).double()
    for conv, key in ((block.conv1, 2), (block.conv2, 3)):
        conv.bias.copy_(normal(*conv.bias.shape, key=key))
    x = normal(2, 4, 8, 8).double()
    torch.testing.assert_close(block(x), by_hand(block, x))


@torch.no_grad()
def test_the_discriminators_layers_are_equalised_and_in_order() -> None:
    """The whole network from its weights alone: pixels, two blocks, the deviation, the logit."""
    critic = Discriminator(16, channel_max=8, group=2).double()
    for i, (name, value) in enumerate(critic.named_parameters()):
        if name.endswith("bias"):
            value.copy_(0.1 * normal(*value.shape, key=i))
    x = normal(4, 3, 16, 16).double()

    def leaky(maps: Tensor) -> Tensor:
        return 2**0.5 * torch.where(maps < 0, 0.2 * maps, maps)

    h = leaky(F.conv2d(x, critic.from_rgb.weight / 3**0.5, critic.from_rgb.bias))
    for block in critic.blocks:
        h = by_hand(block, h)
    groups = h.view(2, 2, *h.shape[1:])  # pictures 0 and 2, and 1 and 3
    deviation = (groups.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    h = torch.cat([h, deviation.repeat(2).view(4, 1, 1, 1).expand(4, 1, 4, 4)], dim=1)
    h = leaky(F.conv2d(h, critic.last_conv.weight / (9 * 9) ** 0.5, critic.last_conv.bias, padding=1))
    h = leaky(F.linear(h.flatten(1), critic.hidden.weight / (16 * 8) ** 0.5, critic.hidden.bias))
    logits = F.linear(h, critic.logit.weight / 8**0.5, critic.logit.bias)[:, 0]
    torch.testing.assert_close(critic(x).double(), logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("patch", [1, 2])
def test_the_discriminator_looks_at_every_pixel(patch: int) -> None:
    critic = Discriminator(16, channel_max=8, patch=patch, group=1)
    images = normal(2, 3, 16, 16).requires_grad_()
    logits = critic(images)
    assert logits.shape == (2,)
    (gradient,) = torch.autograd.grad(logits[0], images)
    assert (gradient[0].abs().sum(dim=0) > 0).all()
    assert torch.equal(gradient[1], torch.zeros(3, 16, 16))
