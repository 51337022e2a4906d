"""The refined UNet: its correction is zero at first, local, and depends on t."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.checkpoints.identify import identify
from sdg.networks.embedding import timestep_embedding
from sdg.networks.refined import RefinedUNet
from sdg.networks.unet import ADMUNet
from sdg.randomness import keyed_generator

T = torch.tensor([20])


def make(**sizes: int) -> RefinedUNet:
    unet = ADMUNet(32, 1, [1, 1], [2], 32, out_channels=3, patch=4)
    return RefinedUNet(unet, **{"patch": 2, "width": 8, "depth": 1, **sizes})


def randomise(network: RefinedUNet) -> RefinedUNet:
    generator = keyed_generator("refined")
    for parameter in network.parameters():
        parameter.data.normal_(std=0.1, generator=generator)
    return network.eval()


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=keyed_generator("images"))


@torch.no_grad()
def test_it_is_its_unet_at_first() -> None:
    network = make()
    for parameter in network.unet.parameters():
        parameter.data.normal_(std=0.1, generator=keyed_generator("unet", parameter.ndim))
    assert torch.equal(network(images(), T), network.unet(images(), T))
    assert network(images(), T).abs().max() > 0


@torch.no_grad()
def test_the_correction_sees_what_is_near_and_knows_the_time() -> None:
    network = randomise(make())
    for parameter in network.unet.parameters():
        parameter.zero_()  # nothing but the correction is left
    x = images(1)
    moved = x.clone()
    moved[..., 10, 10] += 1
    changed = (network(moved, T) - network(x, T)).abs().amax(dim=(0, 1)) > 0
    rows, columns = changed.nonzero().unbind(dim=1)
    # Three layers of 3 x 3 patches of 2 pixels: at most 3 patches and a pixel away.
    assert changed[10, 10]
    assert max((rows - 10).abs().max(), (columns - 10).abs().max()) <= 7
    assert not torch.allclose(network(x, T), network(x, T + 500))


@torch.no_grad()
def test_the_correction_is_what_its_weights_say() -> None:
    """Layer by layer: those in the middle alone are residual, and each has a scale and a shift of its own."""
    network, x, t = randomise(make(depth=2)).double(), images().double(), torch.tensor([20, 700])
    coarse = network.unet(x, t)
    hidden = F.silu(network.time[0](timestep_embedding(t, 64).double()))
    scales_and_shifts = network.time[2](hidden).view(2, 3, 2, 8, 1, 1)  # sample, layer, scale or shift

    def modulated(h: torch.Tensor, layer: int) -> torch.Tensor:
        scale, shift = scales_and_shifts[:, layer].unbind(1)
        return F.silu(h * (1 + scale) + shift)

    h = modulated(network.enter(F.pixel_unshuffle(torch.cat([x, coarse], dim=1), 2)), 0)
    h = h + modulated(network.layers[0](h), 1)
    h = h + modulated(network.layers[1](h), 2)
    torch.testing.assert_close(network(x, t), coarse + F.pixel_shuffle(network.leave(h), 2))


def test_gradients_reach_every_weight_but_those_behind_a_zero() -> None:
    network = randomise(make())
    F.mse_loss(network(images(), T), torch.zeros_like(images())).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_its_file_is_recognised() -> None:
    network = RefinedUNet(ADMUNet(64, 1, [1, 2], [2], 64, out_channels=3, patch=4), patch=2, width=8, depth=3)
    found = identify(network.state_dict())
    assert found is not None
    assert found.network is not None
    assert {k: v.shape for k, v in found.network.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }
    assert found.arguments["depth"] == 3
