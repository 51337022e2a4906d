"""The residual discriminator of StyleGAN2 (Karras et al. 2020): pictures in, one logit each out."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.networks.stylegan2 import level_channels, level_sizes
from sdg.networks.stylegan2_layers import EqualConv, EqualLinear, Filter, activate


class ResidualDown(nn.Module):
    """(B, in, H, W) -> (B, out, H/2, W/2): two convolutions and a linear skip, blurred before shrinking."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = EqualConv(in_channels, in_channels, 3)
        self.conv2 = EqualConv(in_channels, out_channels, 3, stride=2)
        self.skip = EqualConv(in_channels, out_channels, 1, bias=False)
        self.blur = Filter()

    def forward(self, x: Tensor) -> Tensor:
        # The blur shortens a side by one, which makes no difference at stride 2.
        main = activate(self.conv2(self.blur(activate(self.conv1(x)))))
        # Dropping pixels is three times as fast as a stride, whose gradient has no dedicated CPU kernel.
        return (main + self.skip(self.blur(x)[..., ::2, ::2])) / math.sqrt(2)


class Discriminator(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] -> logits (B,) float32, higher for real ones.

    Args:
        image_size: side S, a power of two.
        channel_max, channel_multiplier: widths, as in the generator.
        patch: side of the pixel-unshuffle patches the picture is folded into; 1 is StyleGAN2, 2 saves the
            costliest level.
        group: number of pictures over which the deviation within a batch is taken.

    Raises:
        SDGError: a side that no StyleGAN2 has.
    """

    def __init__(
        self,
        image_size: int = 256,
        channel_max: int = 512,
        channel_multiplier: float = 2,
        patch: int = 1,
        group: int = 4,
    ):
        super().__init__()
        self.patch, self.group = patch, group
        sizes = level_sizes(image_size // patch)[::-1]
        widths = [level_channels(size, channel_max, channel_multiplier) for size in sizes]
        self.from_rgb = EqualConv(3 * patch**2, widths[0], 1)
        self.blocks = nn.Sequential(*map(ResidualDown, widths[:-1], widths[1:]))
        self.last_conv = EqualConv(widths[-1] + 1, widths[-1], 3)
        self.hidden = EqualLinear(16 * widths[-1], widths[-1])
        self.logit = EqualLinear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        x = F.pixel_unshuffle(images, self.patch) if self.patch > 1 else images
        x = self.blocks(activate(self.from_rgb(x)))
        x = torch.cat([x, batch_deviation(x, self.group)], dim=1)
        x = activate(self.last_conv(x)).flatten(1)
        return self.logit(activate(self.hidden(x))).squeeze(1).float()


def batch_deviation(x: Tensor, group: int) -> Tensor:
    """A map (B, 1, H, W) of how much each picture's group varies, which exposes a collapsed generator.

    The standard deviation over the group, averaged over channels and positions (Karras et al. 2018). Groups
    have ``group`` pictures, or fewer if that does not divide the batch.
    """
    batch, channels, height, width = x.shape
    group = max(size for size in range(1, group + 1) if batch % size == 0)
    grouped = x.float().reshape(group, batch // group, channels, height, width)
    deviation = (grouped.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return deviation.to(x.dtype).repeat(group).view(batch, 1, 1, 1).expand(-1, 1, height, width)
