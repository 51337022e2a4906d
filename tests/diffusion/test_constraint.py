"""A known region: kept exactly, filled in around, without effect on unrelated pixels and samples."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from sdg.diffusion.constraint import KnownRegion
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.dpmpp import DPMSolverPP2M
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import Guide, Moment, generate
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from tests.diffusion.examples import normal

SIZE, STD = 16, 0.5
SCHEDULE = NoiseSchedule.linear()
SAMPLERS: tuple[Sampler, ...] = (DDPM("small"), DDPM("large"), DDIM(), DPMSolverPP2M())
NAMES = ("small", "large", "ddim", "dpmpp")

FREE = torch.zeros(1, 1, SIZE, SIZE)
FREE[..., SIZE // 2 :] = 1
"""The right half is to be drawn, the left half is kept."""


class Twins(nn.Module):
    """The perfect prior of pixels N(0, STD²), each correlated with its mirror image in the other half.

    Sums and differences of a pair are independent, so x_0 is predicted for each of them separately. Given the
    left half k, the mirrored right half is N(rho k, STD² (1 - rho²)).
    """

    def __init__(self, rho: float):
        super().__init__()
        self.rho = rho

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.clean(x_t, float(SCHEDULE.alpha_bar[int(t)]))

    def clean(self, x_t: Tensor, alpha_bar: float) -> Tensor:
        """E[x_0 | x_t]; linear in x_t, by a matrix that is its own transpose."""

        def gain(variance: float) -> float:
            return math.sqrt(alpha_bar) * variance / (alpha_bar * variance + 1 - alpha_bar)

        sums, differences = gain(STD**2 * (1 + self.rho)), gain(STD**2 * (1 - self.rho))
        return (sums + differences) / 2 * x_t + (sums - differences) / 2 * x_t.flip(-1)


def images(count: int, seed: int = 3) -> Tensor:
    return STD * normal(count, 1, SIZE, SIZE, seed=seed).float()


def draw(
    sampler: Sampler,
    rho: float = 0.0,
    indices: Sequence[int] = range(3),
    image: Tensor | None = None,
    free: Tensor = FREE,
    steps: int = 10,
    guide: Guide | None = None,
    seen: list[Moment] | None = None,
) -> Tensor:
    """Samples of the twins, around the known part of an image if there is one."""
    denoiser = Denoiser(Twins(rho), SCHEDULE, SIZE, channels=1, parameterisation="x0", clip=False)
    keys = [(0, index) for index in indices]
    region = KnownRegion(image, free, NoiseSource(keys, "known")) if image is not None else None
    observe = seen.append if seen is not None else None
    timeline = Timeline(SCHEDULE, steps)
    return generate(denoiser, sampler, timeline, NoiseSource(keys), guide, constrain=region, observe=observe)


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """The left half, and the right half mirrored onto it, in float64."""
    left, right = x.double().split(SIZE // 2, dim=-1)
    return left, right.flip(-1)


# --- what is kept


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
def test_the_finished_image_has_the_known_part_exactly(sampler: Sampler) -> None:
    image = images(3)
    x = draw(sampler, 0.8, image=image)
    assert torch.equal(x[..., : SIZE // 2], image[..., : SIZE // 2])
    assert (x - image)[..., SIZE // 2 :].abs().mean() > 0.2


def test_on_the_way_it_has_the_noise_of_the_level_reached_fresh_at_every_step() -> None:
    image, seen = images(3), list[Moment]()
    draw(DDPM(), 0.8, image=image, seen=seen)
    noise = NoiseSource([(0, 0), (0, 1), (0, 2)], "known")
    for moment in seen:
        a, z = moment.step.alpha_bar_s, noise.normal((1, SIZE, SIZE))
        known = math.sqrt(a) * image + math.sqrt(1 - a) * z
        torch.testing.assert_close(halves(moment.x_s)[0], halves(known)[0], rtol=0, atol=1e-6)


def test_half_free_is_half_kept() -> None:
    last, x_s, image = Timeline(SCHEDULE, 5).steps[0], images(2, seed=1), images(2, seed=2)
    region = KnownRegion(image, torch.tensor([0.0, 0.25, 1.0, 0.5]).repeat(4).view(1, 1, 1, SIZE),
                         NoiseSource([(0, 0), (0, 1)]))  # fmt: skip
    x = region(x_s, last)
    torch.testing.assert_close(x[..., 1::4], 0.25 * x_s[..., 1::4] + 0.75 * image[..., 1::4])
    assert torch.equal(x[..., 2::4], x_s[..., 2::4])
    assert torch.equal(x[..., 0::4], image[..., 0::4])


# --- what the rest does not depend on


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
def test_pixels_that_know_nothing_of_the_known_are_drawn_as_ever(sampler: Sampler) -> None:
    """The known part's noise is a stream of its own: with independent pixels the others keep every bit."""
    unconstrained = draw(sampler)
    assert torch.equal(draw(sampler, image=images(3))[..., SIZE // 2 :], unconstrained[..., SIZE // 2 :])
    everything = torch.ones_like(FREE)
    assert torch.equal(draw(sampler, 0.8, image=images(3), free=everything), draw(sampler, 0.8))


def test_what_the_image_shows_where_it_is_not_kept_does_not_matter() -> None:
    image, other = images(3), images(3, seed=4)
    other[..., : SIZE // 2] = image[..., : SIZE // 2]
    assert torch.equal(draw(DDPM(), 0.8, image=image), draw(DDPM(), 0.8, image=other))
    assert not torch.equal(draw(DDPM(), 0.8, image=images(3, seed=4)), draw(DDPM(), 0.8, image=other))


def test_a_sample_has_its_own_noise_and_region_whatever_its_company() -> None:
    image = images(5)
    free = FREE.repeat(5, 1, 1, 1)
    free[3] = FREE[0].flip(-1)
    whole = draw(DDPM(), 0.8, range(5), image, free)
    order = [3, 0, 4]
    torch.testing.assert_close(draw(DDPM(), 0.8, order, image[order], free[order]), whole[order])

    shared = draw(DDPM(), 0.8, image=image[:1])
    assert torch.equal(draw(DDPM(), 0.8, image=image[:1].repeat(3, 1, 1, 1)), shared)
    filled = halves(shared)[1]
    assert (filled[0] - filled[1]).abs().mean() > 0.2


# --- what it learns from the known


@pytest.mark.parametrize("rho", [0.8, -0.6])
@pytest.mark.parametrize("sampler, low, high", [
    (DDPM("small"), 0.5, 0.7), (DDPM("large"), 0.5, 0.7), (DDIM(), 0.3, 0.5), (DPMSolverPP2M(), 0.3, 0.5),
], ids=NAMES)  # fmt: skip
def test_what_is_filled_in_leans_towards_what_the_known_implies(
    sampler: Sampler, low: float, high: float, rho: float
) -> None:
    """Without RePaint's resampling it goes part of the way only, however many steps are taken.

    Given the known half k the exact answer is N(rho k, STD² (1 - rho²)). Early in the chain the known is
    mostly noise, drawn anew at every step, and a prior that looks at one state at a time cannot remember what
    it saw. An ancestral chain, which forgets its own early decisions too, goes 0.5 to 0.6 of the way to
    rho k; a deterministic one, which keeps them, 0.3 to 0.5. (Slopes have a standard error of 0.01, as have
    spreads, the smallest of which is 0.95 of the exact one.)
    """
    image = images(64)
    known, filled = halves(draw(sampler, rho, range(64), image, steps=50))
    slope = float((known * filled).mean() / known.square().mean())
    assert low < slope / rho < high
    assert abs(float((filled - slope * known).mean())) < 0.02
    spread = float((filled - slope * known).std())
    assert 0.92 * STD * math.sqrt(1 - rho**2) < spread < 1.02 * STD


# --- together with a guide


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
def test_a_guide_moves_the_free_part_and_nothing_else(sampler: Sampler) -> None:
    """Of independent pixels the free ones are guided as if nothing were known; the known ones stay."""

    def guide(x: Tensor, level: Level) -> Tensor:
        return torch.full_like(x, 2.0)

    image = images(3)
    x = draw(sampler, image=image, guide=guide)
    assert torch.equal(x[..., : SIZE // 2], image[..., : SIZE // 2])
    assert torch.equal(x[..., SIZE // 2 :], draw(sampler, guide=guide)[..., SIZE // 2 :])
    assert (x - draw(sampler, image=image))[..., SIZE // 2 :].mean() > 0.1


@pytest.mark.parametrize("rho, most", [(0.0, 1.03), (0.8, 0.7)])
def test_known_and_guide_are_both_heard(rho: float, most: float) -> None:
    """F(x_t) = log E[exp(c Σ x_0) | x_t] over the free half tilts p(x_0) by exp(c Σ x_0).

    Every free pixel f then moves by c Var[f]: STD² c if nothing is known, STD² (1 - rho²) c if its twin is.
    Where the twin is heard only in part (see above) it moves by something in between, here 0.6 STD² c.
    """
    twins, c = Twins(rho), 1.5

    def guide(x: Tensor, level: Level) -> Tensor:
        return c * twins.clean(FREE.expand_as(x), level.alpha_bar)

    image = images(3)
    unguided, guided = (draw(DDPM("large"), rho, image=image, steps=100, guide=g) for g in (None, guide))
    kept, moved = halves(guided - unguided)
    assert (kept == 0).all()
    torch.testing.assert_close(moved, moved.mean().expand_as(moved), rtol=0, atol=1e-5)
    alone, known = c * STD**2, c * STD**2 * (1 - rho**2)
    assert 0.97 * known < float(moved.mean()) < most * alone
