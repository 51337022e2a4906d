"""The StyleGAN2 generator (Karras et al. 2020), key-compatible with the widespread converted checkpoints.

Parameter names are those of the rosinality layout (``style.1.weight``, ``convs.0.conv.modulation.bias``, …),
whose files hold them under ``g_ema``. Only PyTorch's own operations are used. A modulated convolution scales
its input by the style, convolves with the shared weight, and scales its output back to unit variance
("demodulation"): the same function as with a kernel for each sample, but cheaper on a CPU.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.stylegan2_layers import EqualLinear, Filter, activate


class Noise(Protocol):
    """Whatever draws standard normal numbers for a batch, for example a ``NoiseSource``."""

    def normal(self, shape: Sequence[int], device: torch.device | str) -> Tensor:
        """(B, *shape)."""


def level_channels(size: int, channel_max: int, channel_multiplier: float) -> int:
    """Channels of the feature maps of side ``size``: at most ``channel_max``, halved as the side doubles."""
    return min(channel_max, int(2**14 * channel_multiplier / size))


def level_sizes(image_size: int) -> list[int]:
    """4, 8, …, ``image_size``; raises SDGError unless that is a power of two, at least 8."""
    if image_size < 8 or image_size & (image_size - 1):
        raise SDGError(
            f"StyleGAN2's images have sides of 8, 16, 32, …, not {image_size}: choose one of these"
        )
    return [2**i for i in range(2, image_size.bit_length())]


class PixelNorm(nn.Module):
    """z (B, D), scaled to a mean square of 1."""

    def forward(self, z: Tensor) -> Tensor:
        return z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)


class MappingLayer(EqualLinear):
    """One layer of the mapping network: linear, at 1/100 of the learning rate, then the activation."""

    def __init__(self, dim: int):
        super().__init__(dim, dim, rate=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return activate(super().forward(x))


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by an affine function of w, with or without demodulation.

    ``upsample`` doubles the side with a transposed convolution, followed by the low-pass.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        latent_dim: int,
        demodulate: bool = True,
        upsample: bool = False,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, out_channels, in_channels, kernel, kernel))
        self.modulation = EqualLinear(latent_dim, in_channels, bias=1.0)
        self.blur = Filter(gain=4.0) if upsample else None
        self.scale, self.demodulate = 1 / math.sqrt(in_channels * kernel**2), demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (B, in, H, W), w (B, D) -> (B, out, H', W')."""
        style = self.modulation(w)
        weight = self.weight[0] * self.scale
        x = x * style[..., None, None]
        if self.blur is not None:
            x = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        if self.demodulate:
            gain = torch.rsqrt(style.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8)
            x = x * gain[..., None, None]
        return x


class NoiseWeight(nn.Module):
    """Strength of the noise that a layer adds; one number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class ActivationBias(nn.Module):
    """Bias of a layer, added after its noise."""

    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))


class StyledConv(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation."""

    def __init__(self, in_channels: int, out_channels: int, latent_dim: int, upsample: bool = False):
        super().__init__()
        self.conv = ModulatedConv(in_channels, out_channels, 3, latent_dim, upsample=upsample)
        self.noise = NoiseWeight()
        self.activate = ActivationBias(out_channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """x (B, in, H, W), w (B, D), noise (B or 1, 1, H', W') -> (B, out, H', W')."""
        x = self.conv(x, w) + self.noise.weight * noise
        return activate(x + self.activate.bias.view(-1, 1, 1))


class ToRGB(nn.Module):
    """A level's contribution to the picture, added to the enlarged picture of the level below."""

    def __init__(self, channels: int, latent_dim: int, upsample: bool = True):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.upsample = Filter(gain=4.0) if upsample else None
        self.conv = ModulatedConv(channels, 3, 1, latent_dim, demodulate=False)

    def forward(self, x: Tensor, w: Tensor, image: Tensor | None = None) -> Tensor:
        rgb = self.conv(x, w) + self.bias
        if self.upsample is None or image is None:
            return rgb
        return rgb + self.upsample.enlarge(image)


class LearnedInput(nn.Module):
    """The constant 4x4 map that every picture grows from."""

    def __init__(self, channels: int):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class StyleGAN2(nn.Module):
    """z -> w by :meth:`mapping`, w -> picture by :meth:`synthesis`; calling it does both.

    A picture takes one latent for each of its L = 2·log2(image_size) - 2 layers: the same w for all (space
    W), or a w for each (space W+).

    Args:
        image_size: side S of the pictures, a power of two, at least 8.
        latent_dim: size D of z and of w.
        mapping_layers: depth of the mapping network.
        channel_max, channel_multiplier: a level of side s has min(channel_max, 2¹⁴ channel_multiplier / s)
            channels; 512 and 2 in the public checkpoints.

    Raises:
        SDGError: a size that no StyleGAN2 has.
    """

    def __init__(
        self,
        image_size: int = 256,
        latent_dim: int = 512,
        mapping_layers: int = 8,
        channel_max: int = 512,
        channel_multiplier: float = 2,
    ):
        super().__init__()
        sizes = level_sizes(image_size)
        channels = [level_channels(size, channel_max, channel_multiplier) for size in sizes]
        self.image_size, self.latent_dim, self.layers = image_size, latent_dim, 2 * len(sizes)
        self.style = nn.Sequential(PixelNorm(), *(MappingLayer(latent_dim) for _ in range(mapping_layers)))
        self.input = LearnedInput(channels[0])
        self.conv1 = StyledConv(channels[0], channels[0], latent_dim)
        self.to_rgb1 = ToRGB(channels[0], latent_dim, upsample=False)
        self.convs, self.to_rgbs, self.noises = nn.ModuleList(), nn.ModuleList(), nn.Module()
        for before, after in pairwise(channels):
            self.convs.append(StyledConv(before, after, latent_dim, upsample=True))
            self.convs.append(StyledConv(after, after, latent_dim))
            self.to_rgbs.append(ToRGB(after, latent_dim))
        self.noise_sizes = [4, *(size for size in sizes[1:] for _ in range(2))]
        for i, size in enumerate(self.noise_sizes):
            self.noises.register_buffer(f"noise_{i}", torch.randn(1, 1, size, size))

    def forward(self, z: Tensor, noise: Noise | None = None) -> Tensor:
        """z (B, D) standard normal -> pictures (B, 3, S, S), about [-1, 1], not clamped."""
        return self.synthesis(self.mapping(z), noise)

    def mapping(self, z: Tensor) -> Tensor:
        """z (B, D) -> w (B, D)."""
        return self.style(z)

    def synthesis(self, w: Tensor, noise: Noise | None = None) -> Tensor:
        """Pictures (B, 3, S, S) from latents w.

        Args:
            w: (B, D), one for all layers, or (B, L, D), one for each.
            noise: draws the noise that the layers add, in layer order; without it the stored maps are added,
                the same for every picture.

        Raises:
            SDGError: latents of another shape.
        """
        if w.shape[1:] not in ((self.latent_dim,), (self.layers, self.latent_dim)):
            raise SDGError(
                f"this StyleGAN2 takes latents Bx{self.latent_dim} or Bx{self.layers}x{self.latent_dim}, got "
                f"{'x'.join(map(str, w.shape))}: use latents of the same generator"
            )
        latents = w.unbind(1) if w.ndim == 3 else (w,) * self.layers
        maps = self._noise_maps(noise, w)
        # Twice as fast on CPUs; the weights have five dimensions, so the input must set the memory format.
        constant = self.input.input.expand(len(w), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.conv1(constant, latents[0], maps[0])
        image = self.to_rgb1(x, latents[1])
        for b, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * b](x, latents[2 * b + 1], maps[2 * b + 1])
            x = self.convs[2 * b + 1](x, latents[2 * b + 2], maps[2 * b + 2])
            image = to_rgb(x, latents[2 * b + 3], image)
        return image

    def _noise_maps(self, noise: Noise | None, like: Tensor) -> list[Tensor]:
        if noise is None:
            return list(self.noises.buffers())
        return [noise.normal((1, size, size), like.device).to(like.dtype) for size in self.noise_sizes]


def truncate(w: Tensor, mean: Tensor, psi: float) -> Tensor:
    """w (B, …, D) pulled towards the mean latent (D,): mean + psi (w - mean); psi = 1 leaves w unchanged."""
    return mean + psi * (w - mean)
