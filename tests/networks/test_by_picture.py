"""Linear layers that compute each picture by itself compute the same, and round alike."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sdg.networks.by_picture import LinearByPicture, by_picture
from sdg.sampling.networks import Compute


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 8), (3, 5, 8), (1, 8)])
def test_it_is_the_same_layer_with_the_same_gradient(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(8, 6, bias=bias).double().requires_grad_(False)
    x = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    wanted = F.linear(x, layer.weight, layer.bias)
    (slope,) = torch.autograd.grad(wanted.square().sum(), x)
    names = list(layer.state_dict())
    assert isinstance(by_picture(nn.Sequential(layer))[0], LinearByPicture)
    given = layer(x)
    torch.testing.assert_close(given, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(given.square().sum(), x)[0], slope, rtol=1e-12, atol=1e-12)
    assert list(layer.state_dict()) == names


@pytest.mark.parametrize("tokens", [1, 2, 5, 17])
def test_rows_round_alike_in_every_place(tokens: int) -> None:
    torch.manual_seed(0)
    layer = by_picture(nn.Linear(128, 96).requires_grad_(False))
    x = torch.randn(1, tokens, 128).repeat(4, 1, 1).requires_grad_()
    given = layer(x)
    (slope,) = torch.autograd.grad(given.square().sum(), x)
    assert all(torch.equal(given[0], given[k]) and torch.equal(slope[0], slope[k]) for k in (1, 2, 3))


def test_networks_that_draw_have_no_other_linear_layers() -> None:
    network = Compute()(nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 2))))
    assert {type(layer) for layer in network.modules()} == {nn.Sequential, LinearByPicture}
