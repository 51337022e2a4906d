"""Samplers on a mixture of Gaussians, whose score, guide and posterior are exact.

The closed forms themselves (``experiments/samplers/mixture.py``) are held to sums over a fine grid.
"""

from functools import cache

import pytest
import torch
from torch import Tensor

from experiments.samplers.mixture import ExactNetwork, exact_guide
from experiments.samplers.study import (
    AT_MEAN,
    BORDERS,
    MEASURED,
    METHODS,
    POSTERIOR,
    PRIOR,
    SCHEDULE,
    TAU,
    Method,
    Summary,
    chance,
    closed_form,
    draw,
    error,
    measured,
)
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.level import Level
from sdg.diffusion.timeline import Timeline

GRID = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
STATES = torch.tensor([[-1.9, -0.4], [0.2, 1.3]], dtype=torch.float64).view(1, 1, 2, 2)
TIMELINE = Timeline(SCHEDULE, 20)


def bell(x: Tensor, mean: Tensor | float, variance: float) -> Tensor:
    """N(x; mean, variance), up to a constant factor."""
    return torch.exp(-((x - mean) ** 2) / (2 * variance))


def moments(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of a density on the grid, along the last dimension."""
    weights = weights / weights.sum(-1, keepdim=True)
    mean = (weights * GRID).sum(-1)
    return mean, (weights * (GRID - mean[..., None]) ** 2).sum(-1)


def clean_given(x_t: Tensor, level: Level) -> Tensor:
    """p(x_0 | x_t) on the grid, by Bayes' rule, not normalised: (*x_t.shape, grid)."""
    return PRIOR.density(GRID) * bell(x_t[..., None], level.alpha_bar**0.5 * GRID, 1 - level.alpha_bar)


# --- the closed forms


def test_the_posterior_is_that_of_bayes() -> None:
    product = PRIOR.density(GRID) * bell(GRID, MEASURED, TAU**2)
    weights = product / product.sum()
    width = float(GRID[1] - GRID[0])
    torch.testing.assert_close(POSTERIOR.density(GRID), weights / width, rtol=1e-9, atol=1e-9)

    mean, variance = moments(weights)
    central = (weights * (GRID - mean) ** 4).sum()
    shares = [weights[GRID.lt(border)].sum() for border in BORDERS]
    assert POSTERIOR.mean == pytest.approx(float(mean))
    assert POSTERIOR.moment(2) == pytest.approx(float(variance))
    assert POSTERIOR.moment(4) == pytest.approx(float(central))
    expected = [float(shares[0]), float(shares[1] - shares[0]), float(1 - shares[1])]
    assert POSTERIOR.shares(BORDERS) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("index", [0, 4, 12, 19])
def test_the_prior_predicts_the_clean_pixel_and_the_step_to_it(index: int) -> None:
    """E[x_0 | x_t], and both moments of p(x_s | x_t) ∝ p(x_s) p(x_t | x_s)."""
    step = TIMELINE.steps[index]
    network = ExactNetwork(PRIOR, TIMELINE, learned_variance=True)
    prediction = Denoiser(network, SCHEDULE, 2, channels=1, parameterisation="x0", clip=False)(STATES, step)
    mean, variance = moments(clean_given(STATES, step.level))
    torch.testing.assert_close(prediction.x0, mean, rtol=0, atol=1e-7)

    if not step.last:
        before = PRIOR.noised(step.level_s).density(GRID)
        mean, variance = moments(before * bell(STATES[..., None], (1 - step.beta) ** 0.5 * GRID, step.beta))
    sampler = DDPM()
    torch.testing.assert_close(sampler.mean(STATES, prediction, step), mean, rtol=0, atol=1e-7)
    torch.testing.assert_close(sampler.variance(prediction, step), variance, rtol=1e-6, atol=0)


@pytest.mark.parametrize("index", [0, 4, 12, 19])
def test_the_guide_is_the_gradient_of_the_log_likelihood(index: int) -> None:
    """Of log p(y | x_t) = log Σ p(y | x_0) p(x_0 | x_t), differentiated as it stands."""
    level = TIMELINE.steps[index].level
    x = STATES.clone().requires_grad_()
    clean = clean_given(x, level)
    likelihood = (clean * bell(GRID, MEASURED, TAU**2)).sum(-1) / clean.sum(-1)
    (expected,) = torch.autograd.grad(likelihood.log().sum(), x)
    gradient = exact_guide(PRIOR, POSTERIOR)(STATES, level)
    assert gradient is not None
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-9)


def test_the_guide_of_a_finished_pixel_is_the_measurements_own() -> None:
    gradient = exact_guide(PRIOR, POSTERIOR)(STATES, Level.vp(0, 1.0, 1.0))
    torch.testing.assert_close(gradient, (MEASURED - STATES) / TAU**2)


def test_summaries_of_pixels() -> None:
    """Differences of shares are summed and halved, since what one mode lacks, another has in excess."""
    summary = measured(torch.tensor([-1.0, -0.5, 0.0, 1.0]))
    assert summary == Summary(-0.125, pytest.approx(2.1875 / 3), (0.5, 0.25, 0.25))
    assert summary.minus(Summary(0.0, 0.0, (0.25, 0.5, 0.25))).misplaced == 0.25


# --- the samplers: 32,768 pixels, with standard errors of 0.003 in mean, 0.001 in variance, 0.004 in shares

STEPS = (10, 40, 160)


@cache
def errors(method: Method, steps: int, guided: bool) -> Summary:
    return error(method, steps, guided, images=2)


CASES = [(method, False) for method in METHODS] + [(method, True) for method in METHODS + AT_MEAN]


@pytest.mark.parametrize(
    "method, guided", CASES, ids=[f"{'guided' if guided else 'unguided'} {m.name}" for m, guided in CASES]
)
def test_every_sampler_approaches_the_closed_form(method: Method, guided: bool) -> None:
    """Four times the steps leave at most 60 % of the pixels in wrong modes there, down to chance level.

    dpmpp_2m_sde without a guide, over five seeds, has 0.9 % there after 10 steps and 1.1 % after 40. The
    error after 160 steps is larger for the mean shift by Σ = β̃, which is too small under guidance.
    """
    by_steps = [errors(method, steps, guided) for steps in STEPS]
    floor = chance(POSTERIOR if guided else PRIOR, 32_768)
    misplaced = [each.misplaced for each in by_steps]
    assert misplaced[1] < max(0.6 * misplaced[0], 3 * floor[2])
    assert misplaced[2] < max(0.6 * misplaced[1], 3 * floor[2])

    weak = guided and method.name.startswith("ddpm, small")
    limits = (0.05, 0.015, 0.04) if weak else (0.015, 0.013, 0.015)
    assert all(size < limit for size, limit in zip(by_steps[2].sizes(), limits, strict=True)), by_steps[2]


def test_guidance_moves_the_closed_form_far() -> None:
    """The shift that makes the tolerances above small."""
    moved = closed_form(POSTERIOR).minus(closed_form(PRIOR))
    assert all(size > limit for size, limit in zip(moved.sizes(), (0.4, 0.07, 0.35), strict=True))


@pytest.mark.parametrize("pair", list(zip(METHODS, AT_MEAN, strict=False)), ids=lambda pair: pair[0].name)
def test_the_guide_at_the_mean_leaves_less_behind(pair: tuple[Method, Method]) -> None:
    """The textbook's form of the ancestral step against the paper's, which pushes too little, in the mean."""
    at_state, at_mean = (errors(method, 100, guided=True) for method in pair)
    assert at_state.mean < -0.008
    assert abs(at_mean.mean) < 0.75 * abs(at_state.mean)


def test_ddim_with_eta_1_is_ddpm_with_the_small_variance_until_it_is_guided() -> None:
    """Then it corrects the score, by more than Σ = β̃ shifts the mean, and comes nearer."""
    small, ddim = METHODS[0], METHODS[5]
    torch.testing.assert_close(draw(small, 10, False, 1, 32), draw(ddim, 10, False, 1, 32), rtol=0, atol=1e-4)
    assert errors(ddim, 40, guided=True).misplaced < 0.5 * errors(small, 40, guided=True).misplaced


@pytest.mark.parametrize("guided", [False, True], ids=["unguided", "guided"])
def test_a_limited_reach_mends_the_overshoot_of_few_steps(guided: bool) -> None:
    """On evenly spaced timesteps, whose last steps are much longer in λ than those before."""
    far, near = (errors(method, 20, guided) for method in METHODS[6:8])
    assert far.variance > 0.1
    assert abs(near.variance) < 0.02
    assert near.misplaced < 0.6 * far.misplaced


def test_twenty_steps_of_dpmpp_2m_against_a_hundred_of_ddpm() -> None:
    """Under guidance: its mode shares are near those of ddpm's better variances, its mean beats them all."""
    few = errors(METHODS[7], 20, guided=True)
    many = [errors(method, 100, guided=True) for method in METHODS[:3]]
    assert few.misplaced < max(each.misplaced for each in many)
    assert few.misplaced < 0.02
    assert abs(few.mean) < min(abs(each.mean) for each in many)
    assert abs(few.variance) < 0.15
