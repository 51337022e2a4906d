"""Training of spectral features: from pictures alone, without captions and without CLIP."""

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.networks.clip import CLIP
from sdg.networks.spectrum import RIDGE, Spectrum, fitted, whitener
from sdg.randomness import keyed_generator
from sdg.training.dtypes import full
from sdg.training.optimisation import Optimisation
from sdg.training.training import Training

MEMORY = 0.9
"""Share of the earlier batches in the moments of a level, which follow φ as it learns."""


class SpectralTraining(Training):
    """Trains φ so that whitened features of two noisings of one picture agree.

    What two noisings share is the picture: features that agree most are those of x_0 that survive the noise
    of t. Each batch has one t. CLIP teaches nothing here; its embeddings of clean pictures are what the fits
    of :class:`Spectrum` are of, which come from moments that are kept along the way.

    Args:
        network: holds φ.
        clip: whose embeddings are fitted.
        schedule: on which φ learns noise.
    """

    def __init__(
        self,
        network: Spectrum,
        clip: CLIP,
        schedule: NoiseSchedule,
        optimisation: Optimisation,
        seed: int = 0,
    ):
        super().__init__()
        self.network, self.schedule, self.optimisation, self.seed = network, schedule, optimisation, seed
        levels, rows, outputs = network.table.shape
        self.moments: Tensor
        self.register_buffer("moments", torch.zeros(levels, rows + outputs, rows + outputs))
        # In a list, to be neither trained nor in the checkpoint.
        self._clip = [clip.eval().requires_grad_(False)]

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        generator = keyed_generator("spectral", self.seed, batch["step"], device=self.device)
        one, other, t = self._features(batch["image"], generator)
        self._note(batch["image"], one, t)
        loss = disagreement(one, other)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict, batch_idx: int) -> None:
        generator = keyed_generator("spectral validation", self.seed, batch_idx, device=self.device)
        one, other, _ = self._features(batch["image"], generator)
        self.log("val/loss", disagreement(one, other), batch_size=len(batch["image"]), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return self.optimisation(self.network.parameters(), self.trainer.max_steps)

    def trained(self) -> nn.Module:
        """φ with its fits, of which the optimiser updates φ."""
        return self.network

    def exported(self) -> nn.Module:
        """The same, fitted to what was seen last; a level that was never drawn has its neighbour's fit."""
        seen = [number for number, one in enumerate(self.moments) if one[0, 0] > 0]
        count = self.network.table.shape[1] - 1
        for number in range(len(self.moments)):
            near = min(seen, key=lambda other: abs(other - number))
            moments = self.moments[near].double()
            self.network.table[number] = fitted(moments / moments[0, 0], count)
        return self.network

    def exported_notes(self) -> dict[str, str]:
        """On which schedule it has learned noise, which whoever is guided by it must know."""
        return {"schedule": str(self.schedule)}

    def _features(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """φ of two noisings at one t, of which the first teaches, (B, K) each; t, (1,)."""
        options: dict[str, Any] = {"generator": generator, "device": self.device}
        t = torch.randint(len(self.schedule), (1,), **options)
        noised = [
            self.schedule.diffuse(images, t, torch.randn(images.shape, **options).to(images)) for _ in "ab"
        ]
        with torch.no_grad():
            one = full(self.network.phi(noised[0], t).pooled)
        other = full(self.network.phi(noised[1], t).pooled)
        if len(images) <= one.shape[1]:
            raise SDGError(
                f"a batch of {len(images)} pictures cannot whiten {one.shape[1]} features: use "
                f"data.batch_size={4 * one.shape[1]}, or fewer features (encoder.network.features)"
            )
        return one, other, t

    @torch.no_grad()
    def _note(self, images: Tensor, features: Tensor, t: Tensor) -> None:
        """Add a batch to the moments of its level."""
        self._clip[0].to(self.device)
        shown = full(self._clip[0].encode_image(images))
        z = torch.cat([torch.ones_like(features[:, :1]), features, shown], dim=1)
        (number,) = self.network.nearest(t).tolist()
        with torch.autocast(z.device.type, enabled=False):
            self.moments[number].mul_(MEMORY).add_(z.mT @ z / len(z))


def disagreement(one: Tensor, other: Tensor, ridge: float = RIDGE) -> Tensor:
    """Minus the mean correlation of whitened features (B, K) of two noisings; the first gets no gradient."""
    one = one.detach()
    mean = one.mean(dim=0)
    with torch.autocast(one.device.type, enabled=False):  # a covariance of half precision has no root
        white = whitener((one - mean).mT @ (one - mean) / len(one), ridge)
        a, b = ((each - mean) @ white for each in (one, other))
        return -F.cosine_similarity(a - a.mean(dim=0), b - b.mean(dim=0), dim=0).mean()
