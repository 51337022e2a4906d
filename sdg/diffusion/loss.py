"""The training loss of a diffusion prior (Nichol & Dhariwal 2021: L_hybrid)."""

import math

from torch import Tensor

from sdg.diffusion.denoiser import Denoiser


def diffusion_loss(denoiser: Denoiser, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """L_simple, plus the variational bound where the network learns a variance; per sample.

    Args:
        x0, noise: (B, C, H, W).
        t: (B,) original timesteps.

    Returns:
        (B,): mean square error of the network's own target, plus KL(q(x_{t-1} | x_t, x0) || p) in bits per dimension.
        As in the paper the bound trains the variance only (x̂_0 is detached) and is weighted so that the two are alike.
        At t = 0 the same KL with the clipped β̃ stands for the decoder's likelihood (a simplification of ours: no
        noise is added there).
    """
    schedule = denoiser.schedule
    alpha_bar = schedule.alpha_bar.to(t.device)
    now = alpha_bar[t].view(-1, 1, 1, 1)
    before = alpha_bar[(t - 1).clamp(min=0)].where(t > 0, 1.0).view(-1, 1, 1, 1)
    a, sigma = now.sqrt().float(), (1 - now).sqrt().float()

    x_t = a * x0 + sigma * noise
    output = denoiser.network(x_t, t).float()
    channels = x0.shape[1]
    loss = (output[:, :channels] - denoiser.target(x0, noise, a, sigma)).square().mean((1, 2, 3))
    prediction = denoiser.interpret(output, x_t, a, sigma)
    if prediction.variance_fraction is None:
        return loss

    beta = 1 - now / before
    beta_tilde = beta * (1 - before) / (1 - now)
    first = (1 - alpha_bar[1] / alpha_bar[0]) * (1 - alpha_bar[0]) / (1 - alpha_bar[1])
    log_beta_tilde = beta_tilde.where(t.view(-1, 1, 1, 1) > 0, first).log()
    c1 = beta * before.sqrt() / (1 - now)
    fraction = prediction.variance_fraction
    log_variance = fraction * beta.log().float() + (1 - fraction) * log_beta_tilde.float()
    mean_error = c1.float() * (x0 - prediction.x0.detach())
    log_ratio = log_beta_tilde.float() - log_variance
    kl = 0.5 * (log_ratio.exp() - 1 - log_ratio + mean_error.square() * (-log_variance).exp())
    return loss + kl.mean((1, 2, 3)) / math.log(2)
