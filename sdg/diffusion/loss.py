r"""The training loss of a diffusion prior: L_hybrid = L_simple + λ L_vlb (Nichol & Dhariwal 2021, eq. 16)."""

import math

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule, look_up

LAMBDA = 0.001
"""Weight of the variational bound, a sum over all timesteps of which every image draws one."""

MAX_WEIGHT = 50.0
"""Largest weight of a squared error of x0, unless another is given."""


def diffusion_loss(
    denoiser: Denoiser,
    x0: Tensor,
    t: Tensor,
    noise: Tensor,
    weights: Tensor | None = None,
    max_weight: float = MAX_WEIGHT,
) -> Tensor:
    """L_hybrid per sample, (B,); without its second part where the network learns no variance.

    L_simple is the mean square error of what the network itself predicts: ε or v. Where that is x0, it is the
    error of the v which the prediction implies, 1/σ² times that of x0, with the weight clipped at
    ``max_weight`` so that the almost clean images do not drown the rest (as Hang et al. 2023 clip it).

    Args:
        x0, noise: (B, C, H, W).
        t: (B,) original timesteps.
        weights: (H, W) of the pixels in L_simple, 1 on average; None for all alike.
        max_weight: the smaller it is, the more of the training goes to noisy images.
    """
    schedule, channels = denoiser.schedule, x0.shape[1]
    a, sigma = schedule.coefficients(t, x0)
    x_t = a * x0 + sigma * noise
    output = denoiser.network(x_t, t).to(x0.dtype)
    error = output[:, :channels] - denoiser.target(x0, noise, a, sigma)
    if denoiser.parameterisation == "x0":
        error = error * (1 / sigma).clamp(max=max_weight**0.5)
    square = error.square() if weights is None else error.square() * weights
    simple = square.mean((1, 2, 3))
    prediction = denoiser.interpret(output, x_t, a, sigma)
    fraction = prediction.variance_fraction
    if fraction is None:
        return simple
    # x̂_0 is detached: as in the paper, L_vlb trains the variance and leaves the mean to L_simple.
    bound = posterior_kl(schedule, x0, prediction.x0.detach(), fraction, t)
    return simple + LAMBDA * len(schedule) * bound


def posterior_kl(schedule: NoiseSchedule, x0: Tensor, x0_hat: Tensor, fraction: Tensor, t: Tensor) -> Tensor:
    """KL(q(x_{t-1} | x_t, x_0) ‖ p(x_{t-1} | x_t)), one summand of L_vlb, in bits per dimension: (B,).

    p has the mean that ``x0_hat`` implies and the variance at ``fraction`` (:class:`Prediction`); both are
    (B, C, H, W). At t = 0, where q has no width and the paper uses the decoder's likelihood, β̃_1 stands
    for β̃_0, as it does in sampling (a simplification of ours).
    """
    alpha_bar = schedule.alpha_bar
    before = torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
    beta = 1 - alpha_bar / before
    beta_tilde = beta * (1 - before) / (1 - alpha_bar)
    beta_tilde[0] = beta_tilde[1]
    c1 = beta * before.sqrt() / (1 - alpha_bar)

    log_beta, log_beta_tilde, c1 = (look_up(table, t, x0) for table in (beta.log(), beta_tilde.log(), c1))
    log_variance = fraction * log_beta + (1 - fraction) * log_beta_tilde
    mean_error = c1 * (x0 - x0_hat)
    log_ratio = log_beta_tilde - log_variance
    kl = 0.5 * (log_ratio.exp() - 1 - log_ratio + mean_error.square() * (-log_variance).exp())
    return kl.mean((1, 2, 3)) / math.log(2)
