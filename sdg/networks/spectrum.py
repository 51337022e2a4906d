r"""Spectral features of a noisy picture, and what they tell of the clean one (Moreira et al., ICML 2026).

.. math:: E[h(x_0) \mid x_t] \approx c_t \cdot \tilde\varphi(x_t, t), \qquad
          c_t = E[h(x_0)\, \tilde\varphi(x_t, t)]

where φ̃ are features learned from pictures alone, whitened at their t, and a constant. This product is the
fit of h by least squares, in closed form for any h once pictures have been shown. Here h is CLIP's embedding
of the clean picture: :class:`Spectrum` gives what CLIP is expected to see, and takes the place of E'_I for
all terms that compare embeddings. Their cosine divides by its length, the published score by ‖φ̃‖.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.time_clip import TimeResNet
from sdg.networks.time_encoder import Features

RIDGE = 1e-3
"""Added to the variance of every feature, in units of the mean variance."""


class Spectrum(nn.Module):
    """φ(x_t, t) and the fits of CLIP's embeddings at some noise levels.

    Args:
        levels: timesteps of the fits; between them, the nearest is taken.
        features: K of φ.
        output_dim: D of CLIP's embedding.
        layers, width, heads, image_size, sinusoid_dim, time_dim: of φ, as of
            :class:`~sdg.networks.time_clip.TimeResNet`.

    Raises:
        SDGError: no levels, or a size that φ cannot take.
    """

    def __init__(
        self,
        levels: Sequence[int],
        features: int,
        output_dim: int,
        layers: Sequence[int],
        width: int,
        heads: int,
        image_size: int,
        sinusoid_dim: int,
        time_dim: int,
    ):
        super().__init__()
        if not levels:
            raise SDGError("features are fitted at noise levels: give encoder.network.levels some timesteps")
        self.phi = TimeResNet(layers, width, heads, features, image_size, sinusoid_dim, time_dim)
        self.levels, self.image_size = tuple(levels), image_size
        self.table: Tensor
        self.register_buffer("table", torch.zeros(len(levels), features + 1, output_dim))

    def nearest(self, t: Tensor) -> Tensor:
        """The number of the level nearest to each t, (B,) or (1,)."""
        return (t[:, None] - torch.tensor(self.levels, device=t.device)).abs().argmin(dim=1)

    def forward(self, x: Tensor, t: Tensor) -> Features:
        """Pictures x (B, 3, S, S) at t (B,) or (1,) -> φ's stages, and the expected embedding of x_0."""
        seen: Features = self.phi(x, t)
        table = self.table[self.nearest(t)].to(seen.pooled)
        expected = torch.einsum("bk,bkd->bd", seen.pooled, table[:, :-1].expand(len(x), -1, -1))
        return seen._replace(pooled=expected + table[:, -1])


def whitener(covariance: Tensor, ridge: float = RIDGE) -> Tensor:
    """W, (K, K), of (φ - μ) W, whose covariance is the identity, from that of φ."""
    size = covariance.diagonal().mean() * ridge
    eye = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    root = torch.linalg.cholesky(covariance + size * eye)
    return torch.linalg.solve_triangular(root, eye, upper=False).mT


def fitted(moments: Tensor, features: int, ridge: float = RIDGE) -> Tensor:
    """The fit of h by φ: (K + 1, D), of which the last row is the constant.

    Args:
        moments: E[z zᵀ] of z = (1, φ, h), (1 + K + D, 1 + K + D).
        features: K.
    """
    mean = moments[0, 1:]
    covariance = moments[1:, 1:] - mean[:, None] * mean
    white = whitener(covariance[:features, :features], ridge)
    slope = white @ (white.mT @ covariance[:features, features:])  # c_t, in the coordinates of φ
    return torch.cat([slope, (mean[features:] - mean[:features] @ slope)[None]])
