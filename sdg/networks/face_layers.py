"""Layers as TensorFlow computes them: its "same" padding and its bilinear resize, which are not PyTorch's.

Parameters keep TensorFlow's names; their axes are PyTorch's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad (..., H, W) so that a kernel gives ceil(side / stride); the odd pixel comes last."""
    sides = list[int]()
    for size in (x.shape[-1], x.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides, value=value) if any(sides) else x


def resize_bilinear(x: Tensor, side: int) -> Tensor:
    """(B, C, H, W) to (B, C, side, side): pixel i is taken at i · H / side, and not at pixels' centres."""
    rows, columns = (_weights(size, side, x) for size in x.shape[-2:])
    return rows @ x @ columns.T


def _weights(size: int, side: int, like: Tensor) -> Tensor:
    """(side, size), what each pixel of one axis weighs in the new ones; ``like`` has the dtype and device."""
    at = torch.arange(side, device=like.device, dtype=like.dtype) * (size / side)
    apart = (at[:, None] - torch.arange(size, device=like.device, dtype=like.dtype)).abs()
    weights = (1 - apart).clamp(min=0)
    weights[:, -1] += 1 - weights.sum(dim=1)  # beyond the last pixel's middle it goes on as it is
    return weights


class Conv(nn.Module):
    """A convolution whose padding is ``same`` or, with ``valid=True``, none."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, valid: bool = False):
        super().__init__()
        self.filters = nn.Parameter(torch.zeros(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.kernel, self.stride, self.valid = kernel, stride, valid

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.valid else pad_same(x, self.kernel, self.stride)
        return F.conv2d(x, self.filters, self.bias, self.stride)


class Separable(nn.Module):
    """A 3x3 convolution of each channel, then a 1x1 convolution of all; ``same`` padding."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.depthwise_filter = nn.Parameter(torch.zeros(inputs, 1, 3, 3))
        self.pointwise_filter = nn.Parameter(torch.zeros(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(pad_same(x, 3, self.stride), self.depthwise_filter, None, self.stride, groups=x.shape[1])
        return F.conv2d(x, self.pointwise_filter, self.bias)


class Dense(nn.Module):
    """x W + b."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weights + self.bias


class Scale(nn.Module):
    """A factor and a summand for every channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(channels))
        self.biases = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights[:, None, None] + self.biases[:, None, None]
