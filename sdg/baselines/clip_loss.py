"""How far a picture is from a prompt, according to a *clean-image* CLIP: the loss of the latent search."""

import math
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError

if TYPE_CHECKING:  # it imports open_clip, which takes seconds
    from sdg.networks.clip import CLIP


def spherical(image: Tensor, target: Tensor) -> Tensor:
    """2 arcsin²(‖a - b‖/2) for unit vectors (B, D): half the square of the angle."""
    chord = (image - F.normalize(target, dim=-1)).square().sum(dim=-1).clamp(min=1e-12).sqrt()
    return 2 * (chord / 2).clamp(max=1.0 - 1e-6).arcsin().square()


LOSSES = {
    "cosine": lambda image, target: 1 - F.cosine_similarity(image, target, dim=-1),
    "inverse": lambda image, target: 1 / F.cosine_similarity(image, target, dim=-1),
    "spherical": spherical,
}
"""Two embeddings (B, D) -> (B,). ``inverse`` is 100/logits, useful only where the cosine is positive."""


class CLIPLoss(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] and text embeddings (B, D) -> losses (B,); samples do not interact.

    Args:
        clip: the original one; frozen here.
        loss: a name from :data:`LOSSES`.
        resize: how to reach CLIP's size: ``bicubic`` (CLIP's own, antialiased), ``area`` (StyleCLIP: nearest
            enlarging, then average pooling) or ``bilinear`` (not antialiased).
        normalise: apply CLIP's pixel normalisation. Two of the public programs leave it out, and give CLIP
            pixels in [-1, 1] instead of the values it expects.
        crops: number of random square crops, whose losses are averaged; 0 uses the whole picture.
        crop_min: smallest side of a crop, relative to the picture's.

    Raises:
        SDGError: an unknown name, or an impossible number or size of crops.
    """

    def __init__(
        self,
        clip: "CLIP",
        loss: Literal["cosine", "inverse", "spherical"] = "cosine",
        resize: Literal["bicubic", "area", "bilinear"] = "bicubic",
        normalise: bool = True,
        crops: int = 0,
        crop_min: float = 0.5,
    ):
        super().__init__()
        if loss not in LOSSES:
            raise SDGError(f"method.search.loss.loss={loss} is unknown: use {', '.join(LOSSES)}")
        if resize not in ("bicubic", "area", "bilinear"):
            raise SDGError(f"method.search.loss.resize={resize} is unknown: use bicubic, area or bilinear")
        if crops < 0 or not 0 < crop_min <= 1:
            raise SDGError(
                f"crops={crops} of at least {crop_min} of a picture cannot be cut: use 0 or more, of 0 to 1"
            )
        self.clip = clip.eval().requires_grad_(False)
        self.loss, self.resize, self.normalise = LOSSES[loss], resize, normalise
        self.crops, self.crop_min = crops, crop_min

    def forward(self, images: Tensor, target: Tensor, noise: NoiseSource) -> Tensor:
        """``noise`` places the crops; without crops, nothing is drawn from it."""
        views = images
        if self.crops:
            views = self._crop(images, noise)
            target = target.repeat_interleave(self.crops, dim=0)
        return self.loss(self._encode(views), target).view(len(images), -1).mean(dim=1)

    def _crop(self, images: Tensor, noise: NoiseSource) -> Tensor:
        """(B, 3, S, S) -> (B·crops, 3, c, c), with CLIP's size c."""
        uniform = torch.special.ndtr(noise.normal((self.crops, 3), images.device)).flatten(0, 1)
        side = self.crop_min + (1 - self.crop_min) * uniform[:, :1]
        centre = (1 - side) * (2 * uniform[:, 1:] - 1)
        theta = torch.cat([torch.eye(2, device=images.device) * side[:, :, None], centre[:, :, None]], dim=2)
        shape = [len(theta), 3, self.clip.image_size, self.clip.image_size]
        grid = F.affine_grid(theta, shape, align_corners=False)
        repeated = images.repeat_interleave(self.crops, dim=0)
        return F.grid_sample(repeated, grid, padding_mode="reflection", align_corners=False)

    def _encode(self, images: Tensor) -> Tensor:
        side, own = images.shape[-1], self.clip.image_size
        if side != own and self.resize == "area":
            divisor = math.gcd(side, own)
            images = F.interpolate(images, scale_factor=own // divisor, mode="nearest")
            images = F.avg_pool2d(images, side // divisor)
        elif side != own:
            antialias = self.resize == "bicubic"
            images = F.interpolate(images, (own, own), mode=self.resize, antialias=antialias)
        if self.normalise:
            return self.clip.encode_image(images)
        return F.normalize(self.clip.model.encode_image(images), dim=-1)
