"""Building blocks of StyleGAN2's generator and discriminator (Karras et al. 2020, arXiv 1912.04958).

Layers are *equalised*: weights are drawn from N(0, 1) and scaled at run time by 1/√fan_in, so that Adam's
steps have the same relative size everywhere. Activations are leaky ReLUs of slope 0.2, times √2 to preserve
the variance.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def activate(x: Tensor) -> Tensor:
    """√2 · leaky ReLU(x)."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class EqualLinear(nn.Module):
    """Equalised linear layer, (B, in) -> (B, out).

    Args:
        bias: initial value of the bias.
        rate: learning-rate multiplier of weight and bias; both are stored divided by it.
    """

    def __init__(self, in_features: int, out_features: int, bias: float = 0.0, rate: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / rate)
        self.bias = nn.Parameter(torch.full((out_features,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(in_features), rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualConv(nn.Module):
    """Equalised convolution, (B, in, H, W) -> (B, out, H', W'), padded as "same" but for the stride."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale, self.stride = 1 / math.sqrt(in_channels * kernel**2), stride

    def forward(self, x: Tensor) -> Tensor:
        padding = self.weight.shape[-1] // 2
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, padding)


class Filter(nn.Module):
    """The low-pass [1, 3, 3, 1] ⊗ [1, 3, 3, 1] of every resampling; a buffer, because checkpoints hold it.

    Args:
        gain: sum of the kernel; 4 where it follows or performs upsampling by 2, which inserts zeros.
    """

    kernel: Tensor

    def __init__(self, gain: float = 1.0):
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", row.outer(row) * (gain / 64))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W), filtered channel by channel -> (B, C, H - 1, W - 1)."""
        return F.conv2d(x, self._per_channel(x), padding=1, groups=x.shape[1])

    def enlarge(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) -> (B, C, 2H, 2W)."""
        return F.conv_transpose2d(x, self._per_channel(x), stride=2, padding=1, groups=x.shape[1])

    def _per_channel(self, x: Tensor) -> Tensor:
        return self.kernel.expand(x.shape[1], 1, 4, 4)
