"""CLIP on the predicted clean picture: how chains were guided before encoders learnt to read noisy images."""

import torch
from torch import Tensor, nn

from sdg.diffusion.denoiser import Denoiser
from sdg.networks.time_encoder import Features


class PredictedClean(nn.Module):
    """(x_t, t) -> the features of x̂_0(x_t, t), for any guidance term: gradients pass through the prior.

    It needs only an encoder of clean pictures, but costs a forward and a backward pass of the prior's network
    at every step. Where x̂_0 is clamped to [-1, 1], no gradient passes.

    Args:
        denoiser: the prior.
        encoder: for clean pictures: (x, t) -> Features, called at t = 0.
    """

    a: Tensor
    sigma: Tensor

    def __init__(self, denoiser: Denoiser, encoder: nn.Module):
        super().__init__()
        self.denoiser, self.encoder = denoiser, encoder
        self.image_size = encoder.image_size
        alpha_bar = denoiser.schedule.alpha_bar
        self.register_buffer("a", alpha_bar.sqrt().float(), persistent=False)
        self.register_buffer("sigma", (1 - alpha_bar).sqrt().float(), persistent=False)

    def forward(self, x_t: Tensor, t: Tensor) -> Features:
        """x_t: (B, C, S, S); t: (1,) int64."""
        a, sigma = (table[t].view(-1, 1, 1, 1) for table in (self.a, self.sigma))
        return self.encoder(self.denoiser.predict(x_t, t, a, sigma).x0, torch.zeros_like(t))
