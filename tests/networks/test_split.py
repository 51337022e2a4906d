"""A UNet split into outer and inner blocks: against a cached forward written out, and one by diffusers."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.coated import CoatedUNet
from sdg.networks.embedding import timestep_embedding
from sdg.networks.foreign import Foreign
from sdg.networks.refined import RefinedUNet
from sdg.networks.split import Split
from sdg.networks.unet import ADMUNet

T = torch.tensor([300])


def filled(network: nn.Module) -> Any:
    """In eval mode, with weights that let every layer matter."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data.normal_(std=0.1, generator=generator)
    return network.eval().requires_grad_(False)


def adm() -> ADMUNet:
    """Six blocks on either side: the first convolution, two levels of two blocks, one that shrinks."""
    return filled(ADMUNet(32, 2, (1, 2), (2,), head_channels=32, out_channels=3))


def states(count: int, seed: int, channels: int = 3) -> Tensor:
    return torch.randn(count, channels, 8, 8, generator=torch.Generator().manual_seed(seed))


def written_out(unet: ADMUNet, x: Tensor, blocks: int, given: Tensor | None) -> tuple[Tensor, Tensor]:
    """The output, and what the outer blocks on the way up begin with, which may be ``given``."""
    emb, skips, h = unet.time_embed(timestep_embedding(T, 32)), [], x
    for block in unet.input_blocks if given is None else unet.input_blocks[:blocks]:
        h = block(h, emb)
        skips.append(h)
    ascent = list(unet.output_blocks)
    if given is None:
        h = unet.middle_block(h, emb)
        for block in ascent[:-blocks]:
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
        given = h
    h = given
    for block in ascent[-blocks:]:
        h = block(torch.cat([h, skips.pop()], dim=1), emb)
    return unet.out(h), given


@pytest.mark.parametrize("blocks", [1, 3, 4, 6])
def test_the_outer_blocks_go_on_from_what_the_inner_ones_gave(blocks: int) -> None:
    unet, (x, y) = adm(), (states(2, 0), states(2, 1))
    split = Split(unet, blocks)
    assert torch.equal(split(x, T), unet(x, T)), "whole, it is the network"
    split.fresh = False
    _, given = written_out(unet, x, blocks, None)
    wanted, _ = written_out(unet, y, blocks, given)
    assert torch.equal(split(y, T), wanted)
    assert not torch.allclose(wanted, unet(y, T), atol=1e-3), "the inner blocks matter"
    assert torch.equal(split(y, T), wanted), "what is kept stays as it is"
    split.fresh = True
    assert torch.equal(split(y, T), unet(y, T))


def test_the_network_itself_stays_as_it_was() -> None:
    unet = adm()
    before, hooks = {*dict(unet.named_modules())}, [len(m._forward_hooks) for m in unet.modules()]
    split = Split(unet)
    split(states(1, 0), T)
    assert {*dict(unet.named_modules())} == before
    assert [len(module._forward_hooks) for module in unet.modules()] == hooks
    assert {id(p) for p in split.parameters()} == {id(p) for p in unet.parameters()}, "no weight twice"


def test_two_chains_keep_their_own() -> None:
    unet, (x, y, z) = adm(), (states(1, i) for i in range(3))
    one, other = Split(unet), Split(unet)
    one(x, T), other(y, T)
    one.fresh = other.fresh = False
    assert torch.equal(one(z, T), written_out(unet, z, 1, written_out(unet, x, 1, None)[1])[0])
    assert torch.equal(other(z, T), written_out(unet, z, 1, written_out(unet, y, 1, None)[1])[0])


def test_a_sample_does_not_depend_on_its_company_and_moves_with_its_row() -> None:
    unet, x, y = adm(), states(3, 0), states(3, 1)
    batch = Split(unet, 2)
    batch(x, T)
    batch.keep(torch.tensor([2, 0]))
    batch.fresh = False
    both = batch(y[[2, 0]], T)
    for row, i in enumerate((2, 0)):
        alone = Split(unet, 2)
        alone(x[i : i + 1], T)
        alone.fresh = False
        torch.testing.assert_close(both[row], alone(y[i : i + 1], T)[0])


def _refined() -> nn.Module:
    return filled(RefinedUNet(adm(), patch=2, width=8))


def _coated() -> nn.Module:
    return filled(CoatedUNet(adm(), patch=2, width=8))


def _foreign() -> nn.Module:
    return Foreign(adm(), torch.linspace(0.99, 0.01, 1000, dtype=torch.float64))


@pytest.mark.parametrize("make", [_refined, _coated, _foreign])
def test_what_wraps_a_unet_is_computed_around_it_every_time(make: Any) -> None:
    """Equal to the wrapper around a UNet whose every answer is that of the split UNet inside."""
    network, t = make(), torch.tensor([0.5]) if make is _coated else T
    x, y = states(2, 0), states(2, 1)
    split, inner = Split(network), Split(getattr(network, network.wraps))
    stand_in = copy.copy(network)
    stand_in._modules = {**network._modules, network.wraps: inner}
    assert torch.equal(split(x, t), network(x, t))
    stand_in(x, t)
    split.fresh = inner.fresh = False
    assert torch.equal(split(y, t), stand_in(y, t))
    assert not torch.equal(split(y, t), network(y, t))


@pytest.fixture(scope="module")
def diffusers_unet() -> Any:
    diffusers = pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")
    return filled(
        diffusers.UNet2DModel(
            sample_size=8,
            block_out_channels=(32, 32, 64),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=32,
        )
    )


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_diffusers_unet_likewise(diffusers_unet: Any, blocks: int) -> None:
    unet, (x, y) = diffusers_unet, (states(2, 0), states(2, 1))
    split = Split(unet, blocks)
    assert torch.equal(split(x, T).sample, unet(x, T).sample)
    split.fresh = False
    # Written out: the last `blocks` blocks on the way up, after an input that came from x.
    emb = unet.time_embedding(unet.time_proj(T.expand(2)))
    given: dict[str, Tensor] = {}
    first = unet.up_blocks[-blocks]
    hook = first.register_forward_pre_hook(lambda block, asked: given.update(h=asked[0]))
    unet(x, T)
    hook.remove()
    h = unet.conv_in(y)
    skips = [h]
    for i, block in enumerate(unet.down_blocks[:blocks]):
        for j, resnet in enumerate(block.resnets):
            h = resnet(h, emb)
            h = block.attentions[j](h) if hasattr(block, "attentions") else h
            skips.append(h)
        if i < blocks - 1:
            h = block.downsamplers[0](h)
            skips.append(h)
    h = given["h"]
    for block in unet.up_blocks[-blocks:]:
        h = block(h, tuple(skips[-len(block.resnets) :]), emb)
        del skips[-len(block.resnets) :]
    wanted = unet.conv_out(F.silu(unet.conv_norm_out(h)))
    assert torch.equal(split(y, T).sample, wanted)
    assert not torch.allclose(wanted, unet(y, T).sample, atol=1e-3)


@pytest.mark.parametrize("blocks", [0, 7, 1.5])
def test_a_level_that_the_unet_lacks_is_refused(blocks: Any) -> None:
    with pytest.raises(SDGError, match=rf"sampler\.reuse_blocks={blocks}: this UNet has 6 blocks"):
        Split(adm(), blocks)


def test_a_network_of_unknown_blocks_is_refused() -> None:
    with pytest.raises(SDGError, match=r"nothing of Linear: use sampler\.reuse=none"):
        Split(nn.Linear(1, 1))
