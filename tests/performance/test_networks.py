"""What the networks cost at full size, counted on the meta device: no weights, no time, the same everywhere.

Operators and bytes are upper bounds: lower them when they fall.
"""

from collections import Counter
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.benchmark.counters import Counts, Saved
from sdg.config import build
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.guidance.guidance import Guidance
from sdg.guidance.text import Text
from sdg.networks.fast import quicken
from sdg.networks.time_clip import TimeResNet
from sdg.networks.unet import ADMUNet
from tests.tiny import configure

STEP = Timeline(NoiseSchedule.linear(), 100).steps[50]


class Budget(NamedTuple):
    """What the prior costs for one picture."""

    gflop: float
    subpixel: float
    """GFLOP of the quickened network, which upsamples and convolves in one."""
    operators: int
    written: float
    """GB, of which ``fresh`` are in newly allocated memory."""
    fresh: float
    half: float
    """GB that the quickened network writes in half precision."""
    guided: float
    """Floating-point operations of a step guided by text, relative to an unguided one."""


LSUN = Budget(2239.7, 2129.6, operators=793, written=7.04, fresh=5.23, half=3.94, guided=1.058)
FFHQ = Budget(387.9, 360.4, operators=481, written=2.27, fresh=1.70, half=1.13, guided=1.335)


def unet(budget: Budget) -> Denoiser:
    with torch.device("meta"):
        network = ADMUNet() if budget is LSUN else ADMUNet(128, 1, attention_factors=(16,))
    return Denoiser(network.eval().requires_grad_(False), NoiseSchedule.linear(), 256)


@pytest.fixture(scope="module")
def guidance() -> Guidance:
    with torch.device("meta"):
        return Guidance(TimeResNet(), {"text": Text()}, scale=100.0)


def steer(guidance: Guidance, pictures: int = 1) -> Tensor:
    x, words = torch.zeros(pictures, 3, 256, 256, device="meta"), torch.zeros(pictures, 768, device="meta")
    return guidance(x, STEP.level, {"text": words}, torch.zeros(pictures, device="meta")).gradient


def gflop(counts: Counts) -> float:
    return counts.flops / 1e9


@pytest.mark.parametrize("budget", [LSUN, FFHQ], ids=["lsun", "ffhq"])
def test_a_step_costs_what_its_arithmetic_costs(guidance: Guidance, budget: Budget) -> None:
    denoiser = unet(budget)
    with torch.no_grad(), Counts() as unguided:
        denoiser(torch.zeros(1, 3, 256, 256, device="meta"), STEP)
    assert gflop(unguided) == pytest.approx(budget.gflop, abs=0.1)
    assert unguided.operators <= budget.operators
    assert unguided.written <= budget.written * 1e9
    assert unguided.fresh <= budget.fresh * 1e9
    with Counts() as guided:
        steer(guidance)
    assert 1 + guided.flops / unguided.flops == pytest.approx(budget.guided, abs=0.001)


@pytest.mark.parametrize("budget", [LSUN, FFHQ], ids=["lsun", "ffhq"])
def test_quickened_it_costs_less(budget: Budget) -> None:
    network = quicken(unet(budget).network.bfloat16(), channels_last=True)
    with torch.no_grad(), Counts() as counts:
        network(torch.zeros(1, 3, 256, 256, device="meta").bfloat16(), torch.zeros(1, device="meta"))
    assert gflop(counts) == pytest.approx(budget.subpixel, abs=0.1)
    if norms_as_it_lies():
        assert counts.written <= budget.half * 1e9


def norms_as_it_lies() -> bool:
    """Whether group norm reads a channels_last map in place; PyTorch 2.8 copies it first."""
    x = torch.zeros(1, 64, 8, 8, device="meta").bfloat16().to(memory_format=torch.channels_last)
    with torch.no_grad(), Counts() as counts:
        F.group_norm(x, 32, torch.ones(64, device="meta").bfloat16())
    return counts.operators == 1


def test_a_gradient_costs_a_forward_and_a_backward_of_the_encoder(guidance: Guidance) -> None:
    with torch.no_grad(), Counts() as forward:
        guidance.encode(torch.zeros(1, 3, 256, 256, device="meta"), STEP.level)
    assert gflop(forward) == pytest.approx(65.0, abs=0.1)
    with Counts() as both:
        steer(guidance)
    assert gflop(both) == pytest.approx(129.8, abs=0.1)
    assert both.operators <= 1442
    assert both.written < 1.3e9  # 1.8 where time is not folded into the norms


def test_the_networks_that_ship_cost_what_they_cost() -> None:
    """For four pictures of toyfaces, a group of sample.py; whoever runs this next notices an increase."""
    config = configure("sample", [])
    denoiser, encoder = (build(node).to("meta") for node in (config.prior.denoiser, config.encoder.network))
    denoiser.eval().requires_grad_(False)
    x = torch.zeros(4, 3, 64, 64, device="meta")
    with torch.no_grad(), Counts() as prior:
        denoiser(x, STEP)
    assert gflop(prior) == pytest.approx(5.4, abs=0.1)
    assert prior.operators <= 236
    assert prior.written <= 55e6
    steering = Guidance(encoder.eval().requires_grad_(False), {"text": Text()}, scale=100.0)
    words = torch.zeros(4, 128, device="meta")
    with Counts() as guide:
        steering(x, STEP.level, {"text": words}, torch.zeros(4, device="meta"))
    assert gflop(guide) == pytest.approx(0.8, abs=0.1)
    assert guide.operators <= 423
    assert guide.written <= 32e6


@torch.no_grad()
def test_a_batch_shares_what_time_does_to_the_prior() -> None:
    """The product's loop gives all pictures one t, so their norms fold it in."""
    denoiser = unet(FFHQ)
    with Counts() as one:
        denoiser(torch.zeros(1, 3, 256, 256, device="meta"), STEP)
    with Counts() as eight:
        denoiser(torch.zeros(8, 3, 256, 256, device="meta"), STEP)
    assert eight.operators == one.operators
    assert eight.written <= 8 * one.written
    assert eight.flops < 8 * one.flops  # the time layers are the same whatever the batch


def test_operators_do_not_multiply_with_the_batch(guidance: Guidance) -> None:
    with Counts() as one:
        steer(guidance)
    with Counts() as eight:
        steer(guidance, pictures=8)
    assert eight.operators <= one.operators + 10
    # Only the time layers are the same whatever the batch.
    assert 8 * 0.998 < eight.flops / one.flops < 8


def test_a_gradient_keeps_a_third_of_a_gigabyte_for_a_picture(guidance: Guidance) -> None:
    with Saved(guidance) as saved:
        steer(guidance)
    assert 0.3e9 < saved.bytes < 0.36e9


def test_the_counters_see_what_slows_a_loop() -> None:
    """Weights that want gradients, a number that Python reads, and tensors made by the host."""
    layer = nn.Linear(64, 64)
    with Saved(layer) as saved:
        hidden = layer(torch.zeros(16, 64).requires_grad_()).exp()
    assert saved.bytes == 2 * 16 * 64 * 4
    assert hidden.requires_grad
    x = torch.zeros(2, device="meta")
    with Counts() as counts:
        x * 2 + torch.full((1,), 3.0, device="meta")
        torch.where(x > 0, x, 0)
    assert (counts.crossings, counts.reads) == ({}, {})
    with Counts() as counts:
        torch.zeros(2).to("meta")
        torch.zeros(2).to("meta", non_blocking=True)
        x.copy_(torch.zeros(2))
        x.add_(torch.tensor([1.0, 2.0], device="meta"))
        torch.zeros(2).sum().item()
    # PyTorch 2.8 makes the tensor of the list on the device itself, where nothing crosses.
    assert counts.crossings - Counter({"aten.lift_fresh": 1}) == {"aten._to_copy": 1, "aten.copy_": 1}
    assert counts.queued == {"aten._to_copy": 1}
    assert counts.reads == {"aten._local_scalar_dense": 1}
    with Counts() as counts:
        y = x + 1
        y.mul_(2)
        y = y + 1
    assert counts.peak == 2 * x.nbytes
    for read in (Tensor.item, bool):
        with pytest.raises(RuntimeError, match="meta"):
            read(x.sum())
    with pytest.raises(NotImplementedError, match="meta"):
        x.tolist()
