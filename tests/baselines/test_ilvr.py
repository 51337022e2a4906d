"""ILVR: what it holds, when, at which noise level, and whose noise it draws."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from sdg.baselines.ilvr import ILVR
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError

TIMELINE = Timeline(NoiseSchedule.linear(), 10)


def pictures(batch: int, key: int = 0, size: int = 16) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(key)).clamp(-1, 1)


def noise(*indices: int) -> NoiseSource:
    return NoiseSource([(0, index) for index in indices], stream="reference")


def chain(ilvr: ILVR, reference: Tensor, source: NoiseSource) -> list[Tensor]:
    """Every state of a chain in which nothing but ILVR changes the state."""
    states = [pictures(len(reference), key=9)]
    for step in TIMELINE:
        states.append(ilvr(states[-1], step, reference, source))
    return states


def test_all_frequencies_over_all_steps_reproduce_the_reference() -> None:
    reference = pictures(2)
    states = chain(ILVR(16, 1, range_t=-1), reference, noise(0, 1))
    torch.testing.assert_close(states[-1], reference, rtol=0, atol=1e-6)
    assert (states[-3] - reference).abs().max() > 1e-2  # it was noised before


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_low_frequencies_become_the_references_and_the_others_stay(factor: int) -> None:
    ilvr, reference, x_s = ILVR(16, factor, range_t=-1), pictures(2), pictures(2, key=1)
    held = ilvr(x_s, TIMELINE.steps[0], reference, noise(0, 1))  # the last step: the reference is clean
    low_pass = ilvr.low_pass
    torch.testing.assert_close(held, x_s - low_pass(x_s) + low_pass(reference), rtol=1e-5, atol=1e-6)
    assert low_pass(held - reference).norm() <= 0.3 * low_pass(x_s - reference).norm()


@pytest.mark.parametrize("range_t, constrained", [(-1, 10), (0, 9), (4, 5), (8, 1), (9, 0), (100, 0)])
def test_the_range_leaves_the_last_steps_free(range_t: int, constrained: int) -> None:
    states = chain(ILVR(16, 4, range_t), pictures(1), noise(0))
    moved = [not torch.equal(before, after) for before, after in pairwise(states)]
    assert moved == [True] * constrained + [False] * (10 - constrained)


@pytest.mark.parametrize("level", ["s", "t"])
def test_the_reference_is_noised_to_the_level_that_is_named(level: str) -> None:
    step, reference = TIMELINE.steps[5], pictures(1, size=64)
    y_s = ILVR(64, 1, level=level)(torch.zeros_like(reference), step, reference, noise(0))
    alpha_bar = {"s": step.alpha_bar_s, "t": step.alpha_bar}[level]
    residue = y_s - math.sqrt(alpha_bar) * reference
    torch.testing.assert_close(
        residue, math.sqrt(1 - alpha_bar) * noise(0).normal((3, 64, 64)), atol=1e-5, rtol=0
    )


def test_noise_is_fresh_at_every_step() -> None:
    step, reference, source = TIMELINE.steps[5], pictures(1), noise(0)
    ilvr = ILVR(16, 4)
    zero = torch.zeros_like(reference)
    assert not torch.equal(ilvr(zero, step, reference, source), ilvr(zero, step, reference, source))


def test_samples_do_not_depend_on_their_batch() -> None:
    ilvr, reference = ILVR(16, 4), pictures(3)
    together = chain(ilvr, reference, noise(0, 1, 2))[-1]
    x = pictures(3, key=9)[1:2]
    source = noise(1)
    for step in TIMELINE:
        x = ilvr(x, step, reference[1:2], source)
    torch.testing.assert_close(x[0], together[1], rtol=1e-5, atol=1e-6)


def test_bad_input_is_refused() -> None:
    with pytest.raises(SDGError, match="N=3 is no power of two"):
        ILVR(16, 3)
    with pytest.raises(SDGError, match=r"level=x is unknown: use s \(the paper\)"):
        ILVR(16, 4, level="x")
    with pytest.raises(
        SDGError, match="a reference of 3x16x8 cannot hold samples of 3x16x16: crop and resize"
    ):
        ILVR(16, 4)(pictures(1), TIMELINE.steps[5], pictures(1)[..., :8], noise(0))
