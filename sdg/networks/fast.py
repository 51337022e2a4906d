"""Other ways to compute the same network, faster for some sizes and on some machines."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.networks.unet import UpsampledConv

LARGE = 256
"""Side of the pictures, in pixels, from which half precision was measured to be faster on a processor."""


class Quickest(NamedTuple):
    """Settings of ``sample.py``, not compiled."""

    channels_last: bool
    dtype: str


def quickest(device: torch.device, side: int) -> Quickest:
    """What was measured to be fastest for pictures of so many pixels a side (docs/performance.md).

    On a processor that is channels_last; for large pictures, where its instructions multiply bfloat16, that,
    too. On a GPU nothing was measured.
    """
    if device.type != "cpu":
        return Quickest(False, "float32")
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # from PyTorch 2.9 on
    half = side >= LARGE and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))
    return Quickest(True, "bfloat16" if half else "float32")


def quicken(network: nn.Module, *, channels_last: bool = False, compile: bool = False) -> nn.Module:
    """Make ``network`` compute the same in another way, in place; returns it.

    Its weights must not change afterwards; their names stay the same. Sums are taken in another order, so
    the rounding differs.

    Args:
        channels_last: store all channels of a position side by side in memory, which suits convolutions of
            wide layers best, and upsample and convolve in one operation (:func:`subpixel`). On a GPU,
            PyTorch's own group norm undoes this layout; a compiled one does not.
        compile: generate kernels with ``torch.compile``, at the first forward of each size.
    """
    if channels_last:
        for layer in network.modules():
            if isinstance(layer, UpsampledConv):
                layer.subpixel = subpixel(layer.weight)
        network.to(memory_format=torch.channels_last)
    if compile:
        network.compile()
    return network


@torch.no_grad()
def subpixel(weight: Tensor) -> Tensor:
    """The kernel (C_in, C_out, 4, 4) of a transposed convolution that upsamples and convolves in one.

    With stride 2 and padding 1 it equals ``weight`` (C_out, C_in, 3, 3) applied to the map after nearest
    upsampling to twice the size. The 3x3 window there holds only 2x2 distinct values: 4/9 of the arithmetic.
    Shi et al., 2016, arXiv 1609.07009.
    """
    pairs = 4 * F.avg_pool2d(F.pad(weight.double(), (1, 1, 1, 1)), 2, stride=1)
    return pairs.flip(-2, -1).transpose(0, 1).to(weight.dtype)
