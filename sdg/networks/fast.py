"""Other ways to compute what a network computes, faster for some sizes and on some machines."""

import torch
from torch import nn


def quicken(network: nn.Module, *, channels_last: bool = False, compile: bool = False) -> nn.Module:
    """Have ``network`` compute the same another way, in place; returns it. The names of its weights stay.

    Sums are taken in another order, so rounding is another.

    Args:
        channels_last: keep all channels of a place side by side in memory, which convolutions of wide layers
            like best. On a GPU, PyTorch's own group norm puts them apart again; a compiled one does not.
        compile: have ``torch.compile`` make its kernels, at the first forward of each size.
    """
    if channels_last:
        network.to(memory_format=torch.channels_last)
    if compile:
        network.compile()
    return network
