"""The prior's loss: where it is least, what it equals, what it trains."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser, Parameterisation, Prediction
from sdg.diffusion.loss import MAX_WEIGHT, diffusion_loss, posterior_kl
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from tests.diffusion.examples import Fixed, normal

SCHEDULE = NoiseSchedule.linear()
T = torch.tensor([0, 1, 40, 500, 999])
X0, NOISE = normal(5, 3, 4, 4).clamp(-1, 1), normal(5, 3, 4, 4, seed=1)


def loss_of(
    output: Tensor, parameterisation: Parameterisation = "eps", schedule: NoiseSchedule = SCHEDULE
) -> Tensor:
    """The loss of a network that gives ``output``."""
    denoiser = Denoiser(Fixed(output), schedule, 4, parameterisation=parameterisation, clip=False)
    return diffusion_loss(denoiser, X0, T % len(schedule), NOISE)


@pytest.mark.parametrize("parameterisation", ["eps", "x0", "v"])
def test_simple_loss_is_the_distance_to_the_networks_own_target(parameterisation: Parameterisation) -> None:
    """Zero at the true ε, x0 or v = a ε - σ x0, and elsewhere each sample's mean squared error.

    An error of x0 counts as the error of v that it implies, 1/σ² as much, with that factor clipped.
    """
    alpha_bar = SCHEDULE.alpha_bar[T].view(-1, 1, 1, 1)
    true = {"eps": NOISE, "x0": X0, "v": alpha_bar.sqrt() * NOISE - (1 - alpha_bar).sqrt() * X0}
    error = normal(5, 3, 4, 4, seed=2)
    torch.testing.assert_close(loss_of(true[parameterisation], parameterisation), torch.zeros(5).double())
    expected = error.square().mean((1, 2, 3))
    if parameterisation == "x0":
        expected = expected * (1 / (1 - SCHEDULE.alpha_bar[T])).clamp(max=MAX_WEIGHT)
    torch.testing.assert_close(loss_of(true[parameterisation] + error, parameterisation), expected)


def test_weights_of_pixels_are_those_of_their_squared_errors() -> None:
    """A pixel of weight 3 counts three times, one of weight 0 not at all; the bound heeds no weights."""
    weights = torch.zeros(4, 4, dtype=torch.float64)
    weights[0, 1], weights[2, 3] = 3.0, 13.0
    error, v = normal(5, 3, 4, 4, seed=2), normal(5, 3, 4, 4, seed=3)
    plain = Denoiser(Fixed(NOISE + error), SCHEDULE, 4, clip=False)
    expected = (3 * error[..., 0, 1].square() + 13 * error[..., 2, 3].square()).sum(1) / 48
    torch.testing.assert_close(diffusion_loss(plain, X0, T, NOISE, weights), expected)
    learned = Denoiser(Fixed(torch.cat([NOISE + error, v], 1)), SCHEDULE, 4, clip=False)
    bound = diffusion_loss(learned, X0, T, NOISE) - error.square().mean((1, 2, 3))
    torch.testing.assert_close(diffusion_loss(learned, X0, T, NOISE, weights), expected + bound)


def test_the_loss_of_a_half_precision_output_is_taken_in_that_of_the_pictures() -> None:
    """The output is rounded, as the network leaves it; nothing after that is."""
    output = (NOISE + normal(5, 3, 4, 4, seed=2)).repeat(1, 2, 1, 1).float().bfloat16()
    x0, noise = X0.float(), NOISE.float()
    half, full = (
        diffusion_loss(Denoiser(Fixed(each), SCHEDULE, 4, clip=False), x0, T, noise)
        for each in (output, output.float())
    )
    assert half.dtype == torch.float32
    assert torch.equal(half, full)


def test_the_weight_of_almost_clean_images_is_clipped_where_one_says() -> None:
    """The limit 2 is v's weight at σ² = ½: below, errors of x0 count twice; above, as those of v."""
    denoiser = Denoiser(Fixed(X0 + 1), SCHEDULE, 4, parameterisation="x0", clip=False)
    loss = diffusion_loss(denoiser, X0, T, NOISE, max_weight=2.0)
    sigma2 = 1 - SCHEDULE.alpha_bar[T]
    assert (sigma2 < 0.5).any()
    assert (sigma2 > 0.5).any()
    torch.testing.assert_close(loss, torch.where(sigma2 < 0.5, 2.0, 1 / sigma2))


def test_the_network_sees_the_diffused_image_at_its_own_t() -> None:
    class Echo(Fixed):
        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            self.asked += [x_t, t]
            return self.output

    network = Echo(NOISE)
    diffusion_loss(Denoiser(network, SCHEDULE, 4), X0, T, NOISE)
    x_t, t = network.asked
    assert torch.equal(t, T)
    torch.testing.assert_close(x_t, SCHEDULE.diffuse(X0, T, NOISE))


def test_kl_equals_that_of_the_samplers_own_gaussians() -> None:
    """q is the step with the true x0 and variance β̃, p the sampler's with the network's x0 and variance."""
    x_t, x0_hat, fraction = (
        SCHEDULE.diffuse(X0, T, NOISE),
        normal(5, 3, 4, 4, seed=3),
        normal(5, 3, 4, 4, seed=4),
    )
    actual = posterior_kl(SCHEDULE, X0, x0_hat, fraction, T)
    steps = Timeline(SCHEDULE, 1000).steps
    for row, t in enumerate(T.tolist()):
        sampler, step = DDPM(), steps[t]
        prediction = Prediction(x0_hat[row], fraction[row])
        variance = sampler.variance(prediction, step)
        assert isinstance(variance, Tensor)
        q = Normal(sampler.mean(x_t[row], Prediction(X0[row]), step), math.exp(step.log_beta_tilde / 2))
        p = Normal(sampler.mean(x_t[row], prediction, step), variance.sqrt())
        expected = kl_divergence(q, p).mean() / math.log(2)
        torch.testing.assert_close(actual[row], expected, rtol=1e-8, atol=0)


def test_kl_survives_float32() -> None:
    x0_hat, fraction = X0 + 0.1 * normal(5, 3, 4, 4, seed=3), 0.5 + 0.2 * normal(5, 3, 4, 4, seed=4)
    exact = posterior_kl(SCHEDULE, X0, x0_hat, fraction, T)
    rounded = posterior_kl(SCHEDULE, X0.float(), x0_hat.float(), fraction.float(), T)
    torch.testing.assert_close(rounded.double(), exact, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("steps", [1000, 250])
def test_hybrid_loss_weighs_the_whole_bound_by_a_thousandth(steps: int) -> None:
    """The bound sums over all timesteps, of which t is one: 0.001 x steps x KL."""
    schedule = NoiseSchedule.linear(steps)
    eps, v = normal(5, 3, 4, 4, seed=2), normal(5, 3, 4, 4, seed=3)
    t = T % steps
    alpha_bar = schedule.alpha_bar[t].view(-1, 1, 1, 1)
    x0_hat = (schedule.diffuse(X0, t, NOISE) - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()
    bound = posterior_kl(schedule, X0, x0_hat, (v + 1) / 2, t)
    hybrid, simple = loss_of(torch.cat([eps, v], 1), schedule=schedule), loss_of(eps, schedule=schedule)
    torch.testing.assert_close(hybrid, simple + 0.001 * steps * bound)


def test_the_bound_trains_the_variance_and_leaves_the_mean_to_the_simple_loss() -> None:
    eps = normal(5, 3, 4, 4, seed=2).requires_grad_()
    v = normal(5, 3, 4, 4, seed=3).requires_grad_()
    simple_eps, *_ = torch.autograd.grad(loss_of(eps).sum(), eps)
    hybrid_eps, hybrid_v = torch.autograd.grad(loss_of(torch.cat([eps, v], 1)).sum(), [eps, v])
    assert torch.equal(hybrid_eps, simple_eps)
    assert (hybrid_v.abs().amax((1, 2, 3)) > 0).all()
