"""Networks that compute another way are the same networks."""

import torch

from sdg.networks.fast import quicken
from sdg.networks.unet import ADMUNet
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


def test_nothing_is_changed_unasked() -> None:
    layer = torch.nn.Conv2d(4, 4, 3)
    quicken(layer)
    assert layer.weight.is_contiguous()
    assert layer._compiled_call_impl is None
