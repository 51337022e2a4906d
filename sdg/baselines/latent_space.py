"""Where latents are searched: z, w, or one w for each layer of the generator."""

from typing import Literal

import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.stylegan2 import StyleGAN2, truncate
from sdg.randomness import keyed_generator

MEAN_COUNT = 4096
"""Latents over which the mean and deviation of w are taken (as in StyleCLIP)."""


class LatentSpace(nn.Module):
    """Latents (B, D), or (B, L, D) in W+, and how they map to the generator's w.

    Args:
        generator: with its weights loaded; frozen here.
        space: ``z``, ``w`` (one w for all layers) or ``w_plus`` (one for each of the L layers).
        whiten: whether w is measured from the mean latent, in standard deviations of each component.
        truncation: ψ for random latents, and for every latent in the space z; 1 means none.

    Raises:
        SDGError: an unknown space, or ``whiten`` in the space z.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        generator: StyleGAN2,
        space: Literal["z", "w", "w_plus"] = "w_plus",
        whiten: bool = False,
        truncation: float = 1.0,
    ):
        super().__init__()
        if space not in ("z", "w", "w_plus"):
            raise SDGError(f"method.search.space.space={space} is unknown: use z, w or w_plus")
        if whiten and space == "z":
            raise SDGError(
                "method.search.space.whiten measures w, and z is white already: use space=w or w_plus"
            )
        self.generator = generator.eval().requires_grad_(False)
        self.space, self.whiten, self.truncation = space, whiten, truncation
        z = torch.randn(MEAN_COUNT, generator.latent_dim, generator=keyed_generator("mean latent"))
        w = generator.mapping(z.to(generator.input.input.device))
        self.register_buffer("mean", w.mean(dim=0), persistent=False)
        self.register_buffer("deviation", w.std(dim=0), persistent=False)

    def random(self, z: Tensor) -> Tensor:
        """The latents for standard normal z (B, D)."""
        if self.space == "z":
            return z
        w = truncate(self.generator.mapping(z), self.mean, self.truncation)
        return self._spread((w - self.mean) / self.deviation if self.whiten else w)

    def constant(self, count: int, where: Literal["mean", "zeros"]) -> Tensor:
        """The mean latent, or zeros, ``count`` times."""
        measured_from_mean = self.space == "z" or self.whiten
        zeros = torch.zeros_like(self.mean)
        latent = self.mean if where == "mean" and not measured_from_mean else zeros
        return self._spread(latent.repeat(count, 1))

    def to_w(self, latents: Tensor) -> Tensor:
        """What the generator's synthesis takes, (B, D) or (B, L, D)."""
        if self.space == "z":
            return truncate(self.generator.mapping(latents), self.mean, self.truncation)
        return self.mean + self.deviation * latents if self.whiten else latents

    def _spread(self, w: Tensor) -> Tensor:
        return w[:, None].repeat(1, self.generator.layers, 1) if self.space == "w_plus" else w
