r"""ILVR's low-pass φ: antialiased bicubic shrinking by N, then bicubic enlarging by N.

Shrinking (D) and enlarging (U) are linear and treat rows and columns alike; each is a matrix computed once:

.. math:: \phi(x) = U (D x D^T) U^T .

Keys' cubic with a = -1/2, half-pixel centres, the kernel stretched by N when shrinking, borders mirrored
with the edge pixel repeated, weights that sum to 1. PyTorch's bicubic ``interpolate`` is a different filter:
for an 8x8 low-pass it is off by up to half a standard deviation.
"""

import torch
from torch import Tensor, nn

from sdg.errors import SDGError


class LowPass(nn.Module):
    """φ for images of one size; linear, differentiable, stateless.

    Args:
        image_size: side S.
        factor: N, a power of two that divides S; 1 is the identity.

    Raises:
        SDGError: any other N.
    """

    shrink: Tensor
    enlarge: Tensor

    def __init__(self, image_size: int, factor: int):
        super().__init__()
        if factor < 1 or factor & (factor - 1) or image_size % factor:
            fitting = ", ".join(str(2**i) for i in range(11) if image_size % 2**i == 0)
            raise SDGError(
                f"N={factor} is no power of two that divides the image size {image_size}: use {fitting}"
            )
        small = image_size // factor
        self.register_buffer("shrink", resize_matrix(image_size, small).float(), persistent=False)
        self.register_buffer("enlarge", resize_matrix(small, image_size).float(), persistent=False)

    def down(self, x: Tensor) -> Tensor:
        """x (…, S, S) -> (…, S/N, S/N)."""
        matrix = self.shrink.to(x)
        return matrix @ x @ matrix.T

    def up(self, x: Tensor) -> Tensor:
        """x (…, S/N, S/N) -> (…, S, S)."""
        matrix = self.enlarge.to(x)
        return matrix @ x @ matrix.T

    def forward(self, x: Tensor) -> Tensor:
        """φ(x), of x's shape (…, S, S)."""
        return self.up(self.down(x))


def resize_matrix(size: int, new_size: int) -> Tensor:
    """The (new_size, size) float64 matrix that resamples a row of ``size`` pixels."""
    stretch = max(size / new_size, 1.0)
    centres = (torch.arange(new_size, dtype=torch.float64) + 0.5) * (size / new_size) - 0.5
    reach = int(2 * stretch) + 1
    taps = centres.floor().long()[:, None] + torch.arange(-reach, reach + 1)
    weights = keys_cubic((centres[:, None] - taps) / stretch)
    weights /= weights.sum(dim=1, keepdim=True)
    mirrored = taps % (2 * size)
    mirrored = torch.minimum(mirrored, 2 * size - 1 - mirrored)
    return torch.zeros(new_size, size, dtype=torch.float64).scatter_add_(1, mirrored, weights)


def keys_cubic(d: Tensor) -> Tensor:
    """Keys' (1981) interpolation kernel with a = -1/2, zero from distance 2 on."""
    d = d.abs()
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
