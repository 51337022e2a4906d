"""Signed-distance shapes and the canvas they are painted on.

Only +, -, *, /, square roots and comparisons are used: IEEE 754 rounds them the same way at every vector
width, so a picture has the same bits alone and in a batch. A shape's distance d is negative inside; where an
exact distance would be costly, d is exact to first order at the edge, the only place anti-aliasing needs it.

References:
    I. Quilez, "2D distance functions", for the closed forms of the primitives.
"""

import numpy as np
import torch
from torch import Tensor

Number = float | Tensor


def length(x: Tensor, y: Tensor) -> Tensor:
    # NumPy's root is the processor's. torch's is MKL's, which is not always the nearest float.
    return torch.from_numpy(np.sqrt((x * x + y * y).numpy()))


def circle(x: Tensor, y: Tensor, radius: Number) -> Tensor:
    return length(x, y) - radius


def ellipse(x: Tensor, y: Tensor, rx: Number, ry: Number) -> Tensor:
    u, v = x / rx, y / ry
    k = length(u, v)
    return k * (k - 1) / (length(u / rx, v / ry) + 1e-6)


def box(x: Tensor, y: Tensor, half_width: Number, half_height: Number, radius: float) -> Tensor:
    """Rounded box; the half sizes include the radius."""
    qx, qy = x.abs() - half_width + radius, y.abs() - half_height + radius
    return length(qx.clamp(min=0), qy.clamp(min=0)) + torch.maximum(qx, qy).clamp(max=0) - radius


def capsule(x: Tensor, y: Tensor, dx: Number, dy: Number, radius: float) -> Tensor:
    """Thick line from (-dx, -dy) to (dx, dy) with round ends."""
    h = ((x * dx + y * dy) / (dx * dx + dy * dy)).clamp(-1, 1)
    return length(x - h * dx, y - h * dy) - radius


def arc(x: Tensor, y: Tensor, radius: float, half_angle: tuple[float, float], thickness: float) -> Tensor:
    """Thick circular arc about the upward axis, with round ends; ``half_angle`` is its (sine, cosine)."""
    sin, cos = half_angle
    ax, up = x.abs(), -y
    ends = length(ax - sin * radius, up - cos * radius)
    return torch.where(cos * ax > sin * up, ends, (length(x, y) - radius).abs()) - thickness


def union(a: Tensor, b: Tensor, blend: float = 0.0) -> Tensor:
    """Union, with its seam smoothed over a length ``blend``."""
    low = torch.minimum(a, b)
    if blend == 0.0:
        return low
    h = (1 - (a - b).abs() / blend).clamp(min=0)
    return low - h * h * (blend / 4)


def minus(a: Tensor, b: Tensor) -> Tensor:
    return torch.maximum(a, -b)


class Canvas:
    """Pictures being painted.

    Args:
        color: (N, 3, 1, 1) base coat, sRGB in [0, 1].
        size: side in pixels.
        pixel: (N, 1, 1) width of a pixel in the units of the distances to be painted.
    """

    def __init__(self, color: Tensor, size: int, pixel: Tensor) -> None:
        self.image = color.expand(-1, -1, size, size).clone()
        self.pixel = pixel

    def paint(self, d: Tensor, color: Tensor, opacity: Number = 1.0) -> None:
        """Fill the shape d (N, H, W) with a color (N or 1, 3, 1, 1); opacity is a number or (N, 1, 1)."""
        self._blend((0.5 - d / self.pixel).clamp_(0, 1) * opacity, color)

    def glow(self, d: Tensor, width: float, color: Tensor, opacity: Number) -> None:
        """Like ``paint``, but the edge fades inwards over ``width``, the same at every resolution."""
        fade = (-d / width).clamp_(0, 1)
        self._blend(fade * fade * (3 - 2 * fade) * opacity, color)

    def _blend(self, coverage: Tensor, color: Tensor) -> None:
        self.image.sub_(color).mul_(1 - coverage[:, None]).add_(color)
