r"""The ADM UNet (Dhariwal & Nichol, 2021, arXiv 2105.05233), key-compatible with the public checkpoints.

Module names follow the public state dicts (``input_blocks.1.0.in_layers.2.weight`` and so on), so LSUN and
FFHQ files load strictly. Beyond ADM there is one option, ``patch``: the image is folded by pixel unshuffle
before the first convolution and unfolded after the last, so a 64-px picture in 2x2 patches costs what a 32-px
one does.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, cat, nn
from torch.utils.checkpoint import checkpoint

from sdg.errors import SDGError
from sdg.networks.embedding import timestep_embedding


class GroupNorm32(nn.GroupNorm):
    """GroupNorm over 32 groups, optionally modulated by time: norm(x) * (1 + scale) + shift.

    PyTorch computes the statistics of half-precision input in float32, as ADM does (on a GPU, releases before
    mid-2026 round them once).
    """

    def __init__(self, channels: int):
        if channels % 32:
            raise SDGError(
                f"a UNet's channels are multiples of 32, not {channels}: choose other base_channels"
            )
        super().__init__(32, channels)

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """x: (B, C, ...), scale and shift: (B, C), or (1, C), which is folded into the norm's own."""
        if scale is None or shift is None:
            return self._norm(x, self.weight, self.bias)
        gain = 1 + scale
        if len(gain) == 1:
            return self._norm(x, self.weight * gain[0], torch.addcmul(shift[0], self.bias, gain[0]))
        return self._norm(x, self.weight, self.bias) * gain[..., None, None] + shift[..., None, None]

    def _norm(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # Under autocast a norm gives float32, which later layers do not need.
        return F.group_norm(x, self.num_groups, weight, bias, self.eps).to(x.dtype)


class SiLU(nn.SiLU):
    """In place where no gradient is recorded: on a CPU, fresh memory costs more than the function."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x, inplace=not torch.is_grad_enabled())


class UpsampledConv(nn.Conv2d):
    """Nearest upsampling to twice the size, then convolution: (B, C, H, W) -> (B, C_out, 2H, 2W).

    ``subpixel`` (C, C_out, 4, 4), if set, does both in one: see :func:`sdg.networks.fast.quicken`.
    """

    subpixel: Tensor | None

    def __init__(self, channels: int, out_channels: int, kernel_size: int = 3, padding: int = 1):
        super().__init__(channels, out_channels, kernel_size, padding=padding)
        self.register_buffer("subpixel", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.subpixel is None:
            return super().forward(_upsample(x))
        return F.conv_transpose2d(x, self.subpixel, self.bias, stride=2, padding=1)


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


Order = Literal["heads", "qkv"]
"""What a joint projection is split by first: as in ADM, or as in its authors' later models."""


class ResBlock(nn.Module):
    """Residual block, scaled and shifted by time or, with ``scale_shift=False``, shifted before its norm.

    Both branches may be resampled.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        time_dim: int,
        dropout: float = 0.0,
        resample: str | None = None,
        scale_shift: bool = True,
    ):
        super().__init__()
        self.resample, self.scale_shift = resample, scale_shift
        conv = UpsampledConv if resample == "up" else nn.Conv2d
        self.in_layers = nn.Sequential(
            GroupNorm32(channels), SiLU(), conv(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, (1 + scale_shift) * out_channels))
        self.out_layers = nn.Sequential(
            GroupNorm32(out_channels),
            SiLU(),
            nn.Dropout(dropout),
            _zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x: (B, C, H, W), emb: (B or 1, time_dim) -> (B, C_out, H', W')."""
        norm, silu, conv = self.in_layers
        h = silu(norm(x))
        if self.resample == "down":
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        elif self.resample == "up":
            x = _upsample(x)
        h = conv(h)
        norm, *rest = self.out_layers
        told = self.emb_layers(emb)
        h = norm(h, *told.chunk(2, dim=1)) if self.scale_shift else norm(h + told[..., None, None])
        for layer in rest:
            h = layer(h)
        return self.skip_connection(x) + h


class AttentionBlock(nn.Module):
    """Self-attention over positions.

    In ADM's "legacy" order, ``heads``, q, k, v are split inside each head; in ``qkv``, it is the reverse.
    """

    def __init__(self, channels: int, head_channels: int, order: Order = "heads"):
        super().__init__()
        if channels % head_channels:
            raise SDGError(f"head_channels={head_channels} must divide the {channels} channels of attention")
        if order not in ("heads", "qkv"):
            raise SDGError(f"attention_order={order} is unknown: use heads (ADM) or qkv")
        self.heads, self.order = channels // head_channels, order
        self.norm = GroupNorm32(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> (B, C, H, W)."""
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x).reshape(b, c, h * w))
        if self.order == "heads":
            qkv = qkv.view(b, self.heads, 3, c // self.heads, h * w)
        else:
            qkv = qkv.view(b, 3, self.heads, c // self.heads, h * w).transpose(1, 2)
        q, k, v = qkv.transpose(-1, -2).unbind(2)
        out = F.scaled_dot_product_attention(q, k, v)
        out = self.proj_out(out.transpose(-1, -2).reshape(b, c, h * w))
        return x + out.view(b, c, h, w)


class Stage(nn.ModuleList):
    """Layers run in turn; residual blocks also receive the time embedding."""

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, emb) if isinstance(layer, ResBlock) else layer(x)
        return x


class ADMUNet(nn.Module):
    """The UNet of ADM: x_t (B, C, H, W) and original timestep t (B,) or (1,) -> (B, out_channels, H, W).

    Args:
        base_channels: channels of the first level; level l has ``base_channels * channel_mult[l]``.
        res_blocks: residual blocks per level (one more on the way up).
        attention_factors: downsampling factors, relative to the (patched) input, at which attention is used.
        head_channels: channels per attention head.
        out_channels: 6 for a learned variance (prediction, then variance fraction), 3 for a fixed one.
        patch: side of the pixel-unshuffle patches; 1 is ADM.
        checkpointing: recompute blocks in the backward pass to save memory.
        scale_shift: whether norms are scaled and shifted by time, as in ADM; else it is added before them.
        attention_order: see :class:`AttentionBlock`.
    """

    def __init__(
        self,
        base_channels: int = 256,
        res_blocks: int = 2,
        channel_mult: Sequence[int] = (1, 1, 2, 2, 4, 4),
        attention_factors: Sequence[int] = (8, 16, 32),
        head_channels: int = 64,
        in_channels: int = 3,
        out_channels: int = 6,
        dropout: float = 0.0,
        patch: int = 1,
        checkpointing: bool = False,
        scale_shift: bool = True,
        attention_order: Order = "heads",
    ):
        super().__init__()
        self.base_channels, self.patch, self.checkpointing = base_channels, patch, checkpointing
        self.in_channels, self.out_channels = in_channels, out_channels
        self.size_multiple = patch * 2 ** (len(channel_mult) - 1)
        time_dim = 4 * base_channels
        self.time_embed = nn.Sequential(
            nn.Linear(base_channels, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim)
        )

        def block(in_ch: int, out_ch: int, resample: str | None = None) -> ResBlock:
            return ResBlock(in_ch, out_ch, time_dim, dropout, resample, scale_shift)

        def look(channels: int) -> AttentionBlock:
            return AttentionBlock(channels, head_channels, attention_order)

        def level(in_ch: int, out_ch: int, factor: int) -> list[nn.Module]:
            attention = [look(out_ch)] if factor in attention_factors else []
            return [block(in_ch, out_ch), *attention]

        widths = [base_channels * mult for mult in channel_mult]
        ch = widths[0]
        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(in_channels * patch**2, ch, 3, padding=1)])])
        skips = [ch]
        for depth, width in enumerate(widths):
            for _ in range(res_blocks):
                self.input_blocks.append(Stage(level(ch, width, 2**depth)))
                ch = width
                skips.append(ch)
            if depth < len(widths) - 1:
                self.input_blocks.append(Stage([block(ch, ch, "down")]))
                skips.append(ch)

        self.middle_block = Stage([block(ch, ch), look(ch), block(ch, ch)])

        self.output_blocks = nn.ModuleList()
        for depth, width in reversed(list(enumerate(widths))):
            for j in range(res_blocks + 1):
                layers = level(ch + skips.pop(), width, 2**depth)
                ch = width
                if depth and j == res_blocks:
                    layers.append(block(ch, ch, "up"))
                self.output_blocks.append(Stage(layers))
        self.out = nn.Sequential(
            GroupNorm32(ch),
            SiLU(),
            _zeroed(nn.Conv2d(ch, out_channels * patch**2, 3, padding=1)),
        )

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Raises SDGError when the image's sides or channels do not fit the network."""
        if x_t.shape[1] != self.in_channels or any(side % self.size_multiple for side in x_t.shape[-2:]):
            raise SDGError(
                f"this UNet takes {self.in_channels} channels and sides that are multiples of "
                f"{self.size_multiple}, got {tuple(x_t.shape[1:])}: choose another image size or prior"
            )
        h = F.pixel_unshuffle(x_t, self.patch) if self.patch > 1 else x_t
        emb = self.time_embed(timestep_embedding(t, self.base_channels).to(h.dtype))
        skips = []
        for block in self.input_blocks:
            h = self._run(block, h, emb)
            skips.append(h)
        h = self._run(self.middle_block, h, emb)
        for block in self.output_blocks:
            h = self._run(block, cat([h, skips.pop()], dim=1), emb)
        h = self.out(h)
        h = F.pixel_shuffle(h, self.patch) if self.patch > 1 else h
        return h.contiguous()  # states keep one layout: compiled networks then see the same at every step

    def _run(self, block: nn.Module, h: Tensor, emb: Tensor) -> Tensor:
        if self.checkpointing and self.training:
            return checkpoint(block, h, emb, use_reentrant=False)
        return block(h, emb)


def _zeroed(layer: nn.Module) -> nn.Module:
    """The layer set to zero, as ADM starts the last of a residual branch."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
