"""A UNet in patches, and a few convolutions in finer patches that sharpen its output."""

import math

import torch.nn.functional as F
from torch import Tensor, cat, nn

from sdg.networks.embedding import timestep_embedding
from sdg.networks.unet import ADMUNet

FREQUENCIES = 64
"""Size of the sinusoidal time embedding."""


class RefinedUNet(nn.Module):
    """``unet(x_t, t)`` plus a correction that a small network computes locally from this output and x_t.

    A UNet that folds pictures into patches has no layer at full resolution: lines a pixel or two wide come
    out blurred even where x_t shows them plainly, and are then taken for something else. The correction costs
    about a tenth of the UNet, and is initially zero.

    Args:
        unet: its output must be a picture, in meaning and in channels.
        patch: side of the correction's own patches.
        width: its channels.
        depth: its layers between the first and the last.
    """

    wraps = "unet"

    def __init__(self, unet: ADMUNet, patch: int = 2, width: int = 64, depth: int = 2):
        super().__init__()
        self.unet, self.patch = unet, patch
        self.in_channels, self.out_channels = unet.in_channels, unet.out_channels
        self.size_multiple = math.lcm(unet.size_multiple, patch)
        both = unet.in_channels + unet.out_channels
        self.enter = nn.Conv2d(both * patch**2, width, 3, padding=1)
        self.layers = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(depth)])
        self.leave = nn.Conv2d(width, unet.out_channels * patch**2, 3, padding=1)
        self.time = nn.Sequential(
            nn.Linear(FREQUENCIES, width), nn.SiLU(), nn.Linear(width, 2 * width * (depth + 1))
        )
        for layer in (self.leave, self.time[-1]):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t (B, C, H, W) and original timestep t (B,) or (1,) -> (B, C, H, W)."""
        coarse = self.unet(x_t, t)
        emb = self.time(timestep_embedding(t, FREQUENCIES).to(coarse.dtype))[..., None, None]
        chunks = iter(emb.chunk(2 * len(self.layers) + 2, dim=1))
        (scale, shift), *pairs = zip(chunks, chunks, strict=True)
        h = F.pixel_unshuffle(cat([x_t.to(coarse.dtype), coarse], dim=1), self.patch)
        h = F.silu(self.enter(h) * (1 + scale) + shift)
        for layer, (scale, shift) in zip(self.layers, pairs, strict=True):
            h = h + F.silu(layer(h) * (1 + scale) + shift)
        return coarse + F.pixel_shuffle(self.leave(h), self.patch)
