"""Networks that compute another way are the same networks."""

from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F

from sdg.networks.fast import quicken, quickest, subpixel
from sdg.networks.unet import ADMUNet, UpsampledConv
from tests.golden.fill import fill_state_dict


def test_a_layout_changes_neither_weights_nor_what_is_computed() -> None:
    unet = ADMUNet(32, 1, (1, 2), (2,), head_channels=32).eval()
    unet.load_state_dict(fill_state_dict(unet.state_dict()))
    state = {name: value.clone() for name, value in unet.state_dict().items()}
    x, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([321])
    with torch.no_grad():
        expected = unet(x, t)
        assert quicken(unet, channels_last=True) is unet
        actual = unet(x, t)
    assert (actual - expected).norm() < 1e-5 * expected.norm()
    assert actual.is_contiguous()  # as x_t is, so that the next state has the layout of this one
    assert unet.input_blocks[0][0].weight.is_contiguous(memory_format=torch.channels_last)
    assert state.keys() == unet.state_dict().keys()
    assert all(torch.equal(value, unet.state_dict()[name]) for name, value in state.items())


def test_upsampling_and_convolving_in_one_is_exact_to_the_border() -> None:
    x, weight = (torch.randn(shape, dtype=torch.float64) for shape in ((2, 5, 3, 4), (7, 5, 3, 3)))
    expected = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
    kernel = subpixel(weight)
    assert kernel.shape == (5, 7, 4, 4)
    assert kernel.dtype == weight.dtype
    torch.testing.assert_close(F.conv_transpose2d(x, kernel, stride=2, padding=1), expected)


def test_upsampling_in_one_is_what_runs_and_follows_the_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    unet = quicken(ADMUNet(32, 1, (1, 2), (2,), head_channels=32).eval().bfloat16(), channels_last=True)
    (layer,) = [layer for layer in unet.modules() if isinstance(layer, UpsampledConv)]
    assert layer.subpixel is not None
    assert layer.subpixel.dtype == torch.bfloat16
    monkeypatch.setattr(F, "interpolate", upsampled := Mock(side_effect=F.interpolate))
    unet(torch.randn(1, 3, 16, 16).bfloat16(), torch.tensor([321]))
    assert upsampled.call_count == 1  # on the skip, which has no convolution


def test_nothing_is_changed_unasked() -> None:
    layer = torch.nn.Conv2d(4, 4, 3)
    quicken(layer)
    assert layer.weight.is_contiguous()
    assert layer._compiled_call_impl is None


@pytest.mark.parametrize(
    "device, side, instructions, expected",
    [
        ("cpu", 64, {"amx_tile": True}, (True, "float32")),
        ("cpu", 256, {"amx_tile": True}, (True, "bfloat16")),
        ("cpu", 512, {"avx512_bf16": True, "amx_tile": False}, (True, "bfloat16")),
        ("cpu", 256, {"avx512_f": True}, (True, "float32")),
        ("cuda", 256, {"amx_tile": True}, (False, "float32")),
    ],
)
def test_what_was_measured_to_be_fastest(
    device: str,
    side: int,
    instructions: dict[str, bool],
    expected: tuple[bool, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: instructions, raising=False)
    assert quickest(torch.device(device), side) == expected
