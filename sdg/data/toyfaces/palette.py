"""The colours of toy faces, sRGB in [0, 1]; rows follow the order of the values in ``ATTRIBUTES``."""

import torch
from torch import Tensor

HAIR = torch.tensor([
    [0.10, 0.09, 0.11],  # black
    [0.40, 0.22, 0.11],  # brown
    [0.93, 0.74, 0.36],  # blond
    [0.83, 0.24, 0.11],  # red
    [0.66, 0.67, 0.70],  # grey
    [0.18, 0.42, 0.92],  # blue
    [0.27, 0.68, 0.26],  # green
])  # fmt: skip
SKIN = torch.tensor([
    [1.00, 0.85, 0.74],  # light
    [0.84, 0.61, 0.44],  # medium
    [0.50, 0.32, 0.22],  # dark
])  # fmt: skip
BACKGROUND = torch.tensor([
    [0.95, 0.95, 0.93],  # white
    [1.00, 0.91, 0.34],  # yellow
    [0.98, 0.69, 0.79],  # pink
    [0.57, 0.38, 0.77],  # purple
    [0.16, 0.64, 0.64],  # teal
    [0.14, 0.19, 0.40],  # navy
])  # fmt: skip
LIPS = torch.tensor([
    [0.76, 0.27, 0.28],
    [0.62, 0.20, 0.20],
    [0.90, 0.48, 0.46],
])  # fmt: skip
"""By skin: dark on light and light on dark, so that the expression is visible on each."""
CLOTHES = torch.tensor([
    [0.32, 0.35, 0.43],
    [0.45, 0.55, 0.66],
    [0.72, 0.69, 0.64],
    [0.60, 0.45, 0.44],
])  # fmt: skip
"""A ramp; the nuisance "clothes" is a position on it."""


def color(r: float, g: float, b: float) -> Tensor:
    """(1, 3, 1, 1)"""
    return torch.tensor([r, g, b]).view(1, 3, 1, 1)


WHITE = color(0.99, 0.98, 0.97)
INK = color(0.13, 0.12, 0.16)
MOUTH = color(0.45, 0.11, 0.14)
TONGUE = color(0.93, 0.45, 0.47)
BLUSH = color(0.93, 0.38, 0.36)
HAT = color(0.76, 0.13, 0.42)
HAT_TRIM = color(0.98, 0.94, 0.86)
FRAME = color(0.13, 0.12, 0.18)
LENS = color(0.80, 0.93, 1.00)


def along_clothes(place: Tensor) -> Tensor:
    """(N, 3) colours at places (N,) in [0, 1] on the ramp ``CLOTHES``."""
    position = place * (len(CLOTHES) - 1)
    low = position.floor().clamp(0, len(CLOTHES) - 2)
    start = CLOTHES[low.long()]
    return start + (CLOTHES[low.long() + 1] - start) * (position - low)[:, None]
