"""The ADM UNet: the public layout and golden arrays, patches, sizes, memory."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.unet import ADMUNet, GroupNorm32, ResBlock
from tests.golden.fill import fill, fill_state_dict

GOLDEN = Path(__file__).parents[1] / "golden"
FFHQ: dict[str, Any] = {"base_channels": 128, "res_blocks": 1, "attention_factors": [16]}
LSUN: dict[str, Any] = {}  # the defaults
SMALL: dict[str, Any] = {
    "base_channels": 32,
    "res_blocks": 1,
    "channel_mult": (1, 2),
    "attention_factors": (2,),
    "head_channels": 32,
}


def make_unet(**sizes: Any) -> ADMUNet:
    unet = ADMUNet(**{**SMALL, **sizes})
    unet.load_state_dict(fill_state_dict(unet.state_dict()))
    return unet.eval()


def make_images(batch: int, size: int = 16) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "sizes, name, parameters",
    [(FFHQ, "adm_ffhq", 93_563_910), (LSUN, "adm_lsun", 552_814_086)],
    ids=["ffhq", "lsun"],
)
def test_keys_and_shapes_are_those_of_the_public_checkpoints(
    sizes: dict[str, Any], name: str, parameters: int
) -> None:
    with torch.device("meta"):
        state = ADMUNet(**sizes).state_dict()
    ours = {f"{key} {tuple(value.shape)}" for key, value in state.items()}
    assert ours == set((GOLDEN / f"keys_{name}.txt").read_text().splitlines())
    assert sum(value.numel() for value in state.values()) == parameters


@pytest.mark.parametrize(
    "sizes, name",
    [
        pytest.param(FFHQ, "adm_ffhq", id="ffhq"),
        pytest.param(LSUN, "adm_lsun", id="lsun", marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_output_equals_the_golden_array(sizes: dict[str, Any], name: str) -> None:
    golden = load_file(GOLDEN / f"{name}.safetensors")
    with torch.device("meta"):  # no time for an initialisation that is overwritten
        unet = ADMUNet(**sizes)
    unet.to_empty(device="cpu")
    for key, value in unet.state_dict().items():
        value.copy_(fill(key, value.shape))
    out = unet.eval()(golden["x"], golden["t"])
    assert float((out - golden["out"]).norm() / golden["out"].norm()) <= 1e-4


@torch.no_grad()
def test_patches_equal_folding_the_image_by_hand() -> None:
    patched = make_unet(patch=2)
    plain = make_unet(in_channels=12, out_channels=24)
    plain.load_state_dict(patched.state_dict())
    x_t, t = make_images(2), torch.tensor([3, 700])
    by_hand = F.pixel_shuffle(plain(F.pixel_unshuffle(x_t, 2), t), 2)
    assert by_hand.shape == (2, 6, 16, 16)
    assert torch.equal(patched(x_t, t), by_hand)


@torch.no_grad()
def test_one_t_serves_the_whole_batch() -> None:
    unet, x_t = make_unet(), make_images(3)
    shared, each = unet(x_t, torch.tensor([500])), unet(x_t, torch.tensor([500] * 3))
    torch.testing.assert_close(shared, each, rtol=1e-5, atol=1e-5)
    assert (unet(x_t, torch.tensor([501])) - shared).abs().max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("modulated", [False, True])
@torch.no_grad()
def test_half_precision_takes_statistics_in_float32(dtype: torch.dtype, modulated: bool) -> None:
    """Values far from zero, whose squares half precision would lose."""
    norm = GroupNorm32(64).to(dtype)
    x = (100 + make_images(64)[:, :1].reshape(1, 64, 16, 16)).to(dtype)
    film = [torch.full((1, 64), value, dtype=dtype) for value in (0.5, 0.25)] if modulated else []
    expected = F.group_norm(x.double(), 32) * (1.5 if modulated else 1) + (0.25 if modulated else 0)
    actual = norm(x, *film)
    assert actual.dtype == dtype
    assert (actual - expected).abs().max() <= torch.finfo(dtype).eps * expected.abs().max()


@torch.no_grad()
def test_the_norm_divides_by_the_deviation_with_an_epsilon_of_1e_5() -> None:
    """Of ±0.001, whose variance is 1e-6: golden arrays, with variances near 1, cannot tell 1e-5 from 1e-6."""
    x = 1e-3 * torch.tensor([1.0, -1.0]).repeat(32, 2).view(1, 32, 2, 2)
    torch.testing.assert_close(GroupNorm32(32)(x), x / (1e-6 + 1e-5) ** 0.5, rtol=1e-5, atol=0)


def test_dropout_drops_its_share_and_scales_up_the_rest_in_training_only() -> None:
    unet = make_unet(dropout=0.25)
    seen: list[tuple[Tensor, Tensor]] = []
    for block in unet.modules():
        if isinstance(block, ResBlock):
            block.out_layers[2].register_forward_hook(lambda _, given, out: seen.append((given[0], out)))
    torch.manual_seed(0)  # dropout draws from the global generator
    unet.train()(make_images(8), torch.tensor([500]))
    assert len(seen) == 10  # one in every residual block
    kept = [out != 0 for _, out in seen]
    assert sum(int(each.sum()) for each in kept) / sum(each.numel() for each in kept) == pytest.approx(
        0.75, abs=0.01
    )
    for (given, out), where in zip(seen, kept, strict=True):
        torch.testing.assert_close(out[where], given[where] / 0.75)
    seen.clear()
    unet.eval()(make_images(8), torch.tensor([500]))
    assert all(torch.equal(given, out) for given, out in seen)


@torch.no_grad()
def test_samples_do_not_interact() -> None:
    unet, x_t, t = make_unet(), make_images(3), torch.tensor([0, 500, 999])
    other = x_t.clone()
    other[0] = 100.0
    assert torch.equal(unet(other, t)[1:], unet(x_t, t)[1:])


@torch.no_grad()
def test_a_new_network_predicts_nothing_and_its_blocks_are_the_identity() -> None:
    """ADM's initialisation: the last layer of every residual branch is zero."""
    unet, x_t, t = ADMUNet(**SMALL).eval(), make_images(2), torch.tensor([500])
    assert torch.equal(unet(x_t, t), torch.zeros(2, 6, 16, 16))
    block, attention, _ = unet.middle_block
    h = torch.randn(2, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(h, torch.ones(1, 128)), h)
    assert torch.equal(attention(h), h)


def test_memory_formats_agree() -> None:
    unet, x_t, t = make_unet(), make_images(2), torch.tensor([500])
    with torch.no_grad():
        expected = unet(x_t, t)
        actual = unet.to(memory_format=torch.channels_last)(x_t, t)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_checkpointing_recomputes_and_gives_the_same_gradients() -> None:
    gradients: list[list[Tensor]] = []
    for checkpointing in (False, True):
        unet = make_unet(checkpointing=checkpointing, dropout=0.5).train()
        middle: list[nn.Module] = []
        unet.middle_block[1].register_forward_hook(lambda module, *_, seen=middle: seen.append(module))
        torch.manual_seed(0)  # dropout draws from the global generator
        loss = unet(make_images(2), torch.tensor([3, 700])).square().mean()
        gradients.append(list(torch.autograd.grad(loss, list(unet.parameters()))))
        assert len(middle) == (2 if checkpointing else 1)
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


def test_sampling_recomputes_nothing() -> None:
    unet = make_unet(checkpointing=True)
    calls: list[nn.Module] = []
    unet.middle_block[1].register_forward_hook(lambda module, *_: calls.append(module))
    unet(make_images(1), torch.tensor([500])).sum().backward()
    assert len(calls) == 1


@pytest.mark.parametrize("shape", [(1, 3, 18, 16), (1, 3, 16, 18), (1, 1, 16, 16)])
def test_an_image_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SDGError, match=r"3 channels and sides that are multiples of 4.*choose"):
        make_unet(patch=2)(torch.zeros(shape), torch.tensor([0]))


@pytest.mark.parametrize(
    "sizes, remedy",
    [({"head_channels": 48}, "head_channels=48 must divide"), ({"base_channels": 48}, "multiples of 32")],
)
def test_channels_that_do_not_fit_are_refused(sizes: dict[str, Any], remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        ADMUNet(**{**SMALL, **sizes})
