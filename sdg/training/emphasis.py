"""Where in the picture a prior's errors count most."""

import torch
from torch import Tensor

from sdg.errors import SDGError


class Spot:
    """Pixel weights 1 + gain · exp(-½ d²), where d is the distance to a centre in units of the radii.

    A smile and a frown differ in 1 % of a picture's pixels, whose errors are drowned out by the others'.
    Weights that are the same for every picture shift the focus of the loss but not its minimiser, which is
    the mean of x0 given x_t, pixel by pixel.

    Args:
        y, x: the centre, as fractions of height and width (0: top and left, 1: bottom and right).
        height, width: the radii, as fractions likewise.
        gain: extra weight at the centre.
    """

    def __init__(self, y: float, x: float, height: float, width: float, gain: float):
        if not (height > 0 and width > 0 and gain >= 0):
            raise SDGError(
                f"a spot of {height=}, {width=}, {gain=} cannot be drawn: use radii > 0, gain >= 0"
            )
        self.y, self.x, self.height, self.width, self.gain = y, x, height, width, gain

    def __call__(self, like: Tensor) -> Tensor:
        """Weights (H, W), 1 on average, for pictures ``like`` (B, C, H, W)."""
        height, width = like.shape[2:]
        rows = ((torch.arange(height, device=like.device) + 0.5) / height - self.y) / self.height
        columns = ((torch.arange(width, device=like.device) + 0.5) / width - self.x) / self.width
        weights = 1 + self.gain * (-0.5 * (rows[:, None].square() + columns.square())).exp()
        return weights / weights.mean()
