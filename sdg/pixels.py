"""Conversion of pixels between networks' scale, [-1, 1], and files' scale, 0 … 255."""

import torch
from torch import Tensor


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1], clamped, as uint8."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_bytes(pixels: Tensor) -> Tensor:
    """uint8 pixels as float32 in [-1, 1]."""
    # In place: a batch of large pictures is half a gigabyte.
    return pixels.to(torch.float32, copy=True).div_(127.5).sub_(1)


def to_grey(images: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): the luma of ITU-R 601, as Pillow's mode L; grey stays as it is."""
    red, green, blue = images.split(1, dim=1)
    # Written as differences from green, so that a grey pixel is kept to the last bit.
    return green + 0.299 * (red - green) + 0.114 * (blue - green)
