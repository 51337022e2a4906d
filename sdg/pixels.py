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
