"""Other ways to compute what a network computes, faster for some sizes and on some machines."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.networks.unet import UpsampledConv


def quicken(network: nn.Module, *, channels_last: bool = False, compile: bool = False) -> nn.Module:
    """Have ``network``, whose weights stay from now on, compute the same another way, in place; returns it.

    The names of its weights stay, too. Sums are taken in another order, so rounding is another.

    Args:
        channels_last: keep all channels of a place side by side in memory, which convolutions of wide layers
            like best, and upsample and convolve in one (:func:`subpixel`). On a GPU, PyTorch's own group
            norm puts the channels apart again; a compiled one does not.
        compile: have ``torch.compile`` make its kernels, at the first forward of each size.
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

    With stride 2 and padding 1 it equals ``weight`` (C_out, C_in, 3, 3) on the map of twice the size, every
    place of which is its nearest. A place sees 3x3 others there, of which 2x2 differ: 4/9 of the arithmetic.
    Shi et al., 2016, arXiv 1609.07009.
    """
    pairs = 4 * F.avg_pool2d(F.pad(weight.double(), (1, 1, 1, 1)), 2, stride=1)
    return pairs.flip(-2, -1).transpose(0, 1).to(weight.dtype)
