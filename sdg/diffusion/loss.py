r"""The training loss of a diffusion prior: L_hybrid = L_simple + λ L_vlb (Nichol & Dhariwal 2021, eq. 16)."""

import math

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule, look_up
from sdg.errors import SDGError

LAMBDA = 0.001
"""Weight of the variational bound, a sum over all timesteps; each image samples one of them."""

MAX_WEIGHT = 50.0
"""Default limit on the weight of the squared error of x0."""


def diffusion_loss(
    denoiser: Denoiser,
    x0: Tensor,
    t: Tensor,
    noise: Tensor,
    weights: Tensor | None = None,
    max_weight: float = MAX_WEIGHT,
) -> Tensor:
    """L_hybrid per sample, (B,); only L_simple if the network learns no variance.

    L_simple is the mean squared error of the network's own output, whatever it means. If the network predicts
    x0, it is the error of the implied v, which is 1/σ² times that of x0, with this weight clipped at
    ``max_weight`` (as in Hang et al. 2023) so that almost clean images do not dominate.

    Args:
        x0, noise: (B, C, H, W).
        t: (B,) times of the schedule.
        weights: (H, W), of the pixels in L_simple, 1 on average; None weights all equally.
        max_weight: the smaller it is, the more the training concentrates on noisy images.
    """
    schedule, channels = denoiser.schedule, x0.shape[1]
    a, sigma = schedule.coefficients(t, x0)
    x_t = a * x0 + sigma * noise
    output = denoiser.ask(x_t, t, a, sigma)
    error = output[:, :channels] - denoiser.meaning.target(x0, noise, a, sigma)
    if denoiser.meaning.kind == "x0":
        error = error * (1 / sigma).clamp(max=max_weight**0.5)
    square = error.square() if weights is None else error.square() * weights
    simple = square.mean((1, 2, 3))
    prediction = denoiser.interpret(output, x_t, a, sigma)
    fraction = prediction.variance_fraction
    if fraction is None:
        return simple
    if not isinstance(schedule, NoiseSchedule):
        raise SDGError(
            "a variance is learned for steps between timesteps: give prior.denoiser a NoiseSchedule"
        )
    # x̂_0 is detached: as in the paper, L_vlb trains the variance and leaves the mean to L_simple.
    bound = posterior_kl(schedule, x0, prediction.x0.detach(), fraction, t)
    return simple + LAMBDA * len(schedule) * bound


def posterior_kl(schedule: NoiseSchedule, x0: Tensor, x0_hat: Tensor, fraction: Tensor, t: Tensor) -> Tensor:
    """KL(q(x_{t-1} | x_t, x_0) ‖ p(x_{t-1} | x_t)), one term of L_vlb, in bits per dimension: (B,).

    p has the mean implied by ``x0_hat`` and the variance given by ``fraction`` (:class:`Prediction`), both
    (B, C, H, W). At t = 0, where q has zero variance and the paper uses the decoder's likelihood, β̃_1
    replaces β̃_0, as it does in sampling (our simplification).
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
