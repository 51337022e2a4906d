"""The blocks of CLIP's ResNet image tower, with norms that may be modulated from outside.

A block with modulated norms takes an iterator over (scale, shift) pairs and draws one for each of those
norms, in the order in which they run.

References:
    | Learning Transferable Visual Models From Natural Language Supervision (Radford et al., 2021)
    | https://arxiv.org/abs/2103.00020
    | FiLM: Visual Reasoning with a General Conditioning Layer (Perez et al., 2018)
    | https://arxiv.org/abs/1709.07871
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.errors import SDGError

FiLM = Iterator[tuple[Tensor, Tensor]]
"""(scale, shift) of the norms that have not run yet, each of shape (B, C), or (1, C) for the whole batch."""


def modulated_norm(norm: nn.BatchNorm2d, x: Tensor, film: FiLM | None) -> Tensor:
    """norm(x) * (1 + scale) + shift with the next pair of ``film``, or norm(x); x has shape (B, C, H, W)."""
    if film is None:
        normed: Tensor = norm(x)
        return normed
    scale, shift = next(film)
    gain = 1 + scale
    if len(gain) == 1 and not norm.training:
        # One affine for the whole batch folds into the norm's own: one pass over the map instead of two.
        weight, bias = norm.weight * gain[0], torch.addcmul(shift[0], norm.bias, gain[0])
        return F.batch_norm(x, norm.running_mean, norm.running_var, weight, bias, eps=norm.eps)
    return (norm(x) * gain[:, :, None, None]).add_(shift[:, :, None, None])


class Bottleneck(nn.Module):
    """Residual block (B, C, H, W) -> (B, 4p, H/s, W/s) whose three main norms may be modulated.

    The convolutions all have stride 1; average pooling does the shrinking.
    """

    def __init__(self, in_channels: int, planes: int, stride: int) -> None:
        super().__init__()
        out_channels = 4 * planes
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor, film: FiLM | None = None) -> Tensor:
        h = modulated_norm(self.bn1, self.conv1(x), film).relu_()
        h = modulated_norm(self.bn2, self.conv2(h), film).relu_()
        h = modulated_norm(self.bn3, self.conv3(self._pool(h)), film)
        identity = x if self.downsample is None else self.downsample(self._pool(x))
        return h.add_(identity).relu_()

    def _pool(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.stride) if self.stride > 1 else x


def make_stage(in_channels: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """A run of bottlenecks, the first of which shrinks the map by ``stride``."""
    rest = (Bottleneck(4 * planes, planes, stride=1) for _ in range(1, blocks))
    return nn.Sequential(Bottleneck(in_channels, planes, stride), *rest)


class AttentionPool(nn.Module):
    """Pool a map (B, C, side, side) to (B, D) by multi-head attention with the mean as its only query.

    Raises:
        SDGError: ``heads`` does not divide the channels.
    """

    def __init__(self, side: int, channels: int, heads: int, output_dim: int) -> None:
        super().__init__()
        if channels % heads:
            raise SDGError(
                f"{heads} heads do not divide the attention pool's {channels} channels: choose a divisor"
            )
        self.num_heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(side**2 + 1, channels) / channels**0.5)
        self.k_proj = nn.Linear(channels, channels)
        self.q_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.c_proj = nn.Linear(channels, output_dim)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).mT
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1) + self.positional_embedding
        q, k, v = self.q_proj(tokens[:, :1]), self.k_proj(tokens), self.v_proj(tokens)
        q, k, v = (z.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for z in (q, k, v))
        return self.c_proj(F.scaled_dot_product_attention(q, k, v).flatten(1))


def resize_positions(positions: Tensor, side: int) -> Tensor:
    """Fit an attention pool's positional embedding (1 + n * n, C) to a side x side map: (1 + side * side, C).

    The first row, that of the mean, is kept; the n x n grid is resized bicubically with antialiasing, in
    float32. An embedding that already fits is returned unchanged.
    """
    n = round((len(positions) - 1) ** 0.5)
    if n == side:
        return positions
    grid = positions[1:].float().mT.reshape(1, -1, n, n)
    grid = F.interpolate(grid, size=(side, side), mode="bicubic", antialias=True)
    return torch.cat([positions[:1], grid[0].flatten(1).mT.to(positions.dtype)])
