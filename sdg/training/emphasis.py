"""Where in the picture a prior's errors count most."""

import torch
from torch import Tensor

from sdg.errors import SDGError


class Spot:
    """Weights 1 + gain · exp(-½ d²) of the pixels, d the distance to a centre in units of its radii.

    What decides between a smile and a frown is 1 % of a picture's pixels, whose errors drown in the others'.
    A weight that is the same for every picture moves the loss's attention and not its minimiser, which is the
    mean of x0 given x_t, pixel by pixel.

    Args:
        y, x: the centre, as shares of height and width (0 top and left, 1 bottom and right).
        height, width: the radii, as shares likewise.
        gain: of the centre over the margin.
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
