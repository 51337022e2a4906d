"""CLIP's input normalisation, for images on our scale of [-1, 1]."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class NormalisePixels(nn.Module):
    """((x + 1)/2 - mean)/std of images (B, 3, H, W); nothing is clamped, nothing enters a state dict.

    Args:
        mean, std: of each colour, on a scale from 0 to 1; by default those of OpenAI's CLIPs.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] = CLIP_MEAN, std: Sequence[float] = CLIP_STD) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # CLIP's own order of operations: another would round differently and flip a ReLU here and there.
        return ((x + 1) / 2 - self.mean) / self.std
