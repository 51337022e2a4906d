"""Linear layers that compute each picture of a batch by itself.

As one product over the tokens of all pictures, a linear layer may round a picture's tokens by where in the
batch they are: kernels take rows in blocks, and those left over otherwise (so does MKL with AVX2, not with
AVX-512). As a product for each picture, all are of one shape.
"""

import torch
from torch import Tensor, nn


class LinearByPicture(nn.Linear):
    """A linear layer whose rows (B, C) or (B, L, C) round alike wherever they are among the B, on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu" or input.dim() not in (2, 3):
            return super().forward(input)
        pictures = input if input.dim() == 3 else input.unsqueeze(1)
        given = torch.bmm(pictures, self.weight.mT.expand(len(pictures), -1, -1))
        given = given if self.bias is None else given + self.bias
        return given if input.dim() == 3 else given.squeeze(1)


def by_picture(network: nn.Module) -> nn.Module:
    """Make the linear layers of a frozen ``network`` compute each picture by itself, in place; returns it."""
    for layer in network.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = LinearByPicture
    return network
