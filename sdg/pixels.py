"""Conversion of pixels between networks' scale, [-1, 1], and files' scale, 0 … 255."""

import torch
from torch import Tensor


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1], clamped, as uint8."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_bytes(pixels: Tensor) -> Tensor:
    """uint8 pixels as float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1
