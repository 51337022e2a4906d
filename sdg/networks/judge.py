"""The judge of toy faces: reads attributes and nuisances off a picture. It never guides.

A plain convolutional network with GroupNorm, deliberately unlike the encoders that guide: those are ResNets
with BatchNorm.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn


class Judgement(NamedTuple):
    """What the judge sees in B pictures."""

    attributes: dict[str, Tensor]
    """Logits (B, number of values) by attribute."""
    nuisances: Tensor
    """(B, K), each scaled so that its range is [-1, 1]."""
    features: Tensor
    """(B, D), the layer below both outputs, on which feature distances are measured."""


class Judge(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] -> Judgement.

    Args:
        attributes: number of values of each attribute, by name.
        nuisances: number of nuisances.
        image_size: side S.
        channels: of each convolutional level, multiples of 8; each level halves the picture.
        features: size D of the features.
    """

    def __init__(
        self,
        attributes: Mapping[str, int],
        nuisances: int,
        image_size: int = 64,
        channels: Sequence[int] = (24, 48, 96, 128),
        features: int = 128,
    ):
        super().__init__()
        levels: list[nn.Module] = []
        before = 3
        for width in channels:
            levels += [
                *(nn.Conv2d(before, width, 5, stride=2, padding=2), nn.GroupNorm(8, width), nn.GELU()),
                *(nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.GELU()),
            ]
            before = width
        side = image_size // 2 ** len(channels)
        self.body = nn.Sequential(*levels, nn.Flatten(), nn.Linear(before * side**2, features), nn.GELU())
        self.attribute_heads = nn.ModuleDict({name: nn.Linear(features, n) for name, n in attributes.items()})
        self.nuisance_head = nn.Linear(features, nuisances)

    def forward(self, images: Tensor) -> Judgement:
        features = self.body(images)
        logits = {name: head(features) for name, head in self.attribute_heads.items()}
        return Judgement(logits, self.nuisance_head(features), features)
