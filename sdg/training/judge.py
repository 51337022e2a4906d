"""Training the judge: a supervised reader of attributes and nuisances."""

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.metrics.judged import answers, scale_nuisances
from sdg.networks.judge import Judge
from sdg.randomness import keyed_generator
from sdg.training.dtypes import full
from sdg.training.optimisation import Optimisation
from sdg.training.ranks import Ranks
from sdg.training.training import Training


class JudgeTraining(Training):
    """Cross-entropy of every attribute plus 10 times the mean squared error of the scaled nuisances.

    Generated pictures are slightly blurred and noisy; training pictures are made so too, so that the judge
    reads both equally well.

    Args:
        noise: largest standard deviation of the noise added to a picture.
        blur: share of the pictures that are halved in size and enlarged again.
    """

    def __init__(
        self, judge: Judge, optimisation: Optimisation, noise: float = 0.1, blur: float = 0.3, seed: int = 0
    ):
        super().__init__()
        self.judge, self.optimisation = judge, optimisation
        self.noise, self.blur, self.seed = noise, blur, seed

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        generator = keyed_generator("judge", self.seed, batch["step"], device=self.device)
        judgement = self.judge(self._spoil(batch["image"], generator))
        nuisance_loss = F.mse_loss(full(judgement.nuisances), full(scale_nuisances(batch["nuisances"])))
        loss = 10 * nuisance_loss + sum(
            F.cross_entropy(full(logits), labels)
            for logits, labels in zip(judgement.attributes.values(), batch["attributes"].T, strict=True)
        )
        self.log("train/loss", loss, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: dict, batch_idx: int) -> None:
        options: dict[str, Any] = {"batch_size": len(batch["image"]), "sync_dist": True}
        judgement = self.judge(batch["image"])
        right = (answers(judgement) == batch["attributes"]).float().mean(dim=0)
        for name, accuracy in zip(ATTRIBUTES, right, strict=True):
            self.log(f"val/accuracy_{name}", accuracy, **options)
        self.log("val/accuracy_worst", right.min(), prog_bar=True, **options)
        error = (judgement.nuisances - scale_nuisances(batch["nuisances"])).square().mean(dim=0)
        for name, mse in zip(NUISANCES, error, strict=True):
            self.log(f"val/unexplained_{name}", mse * 3, **options)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return self.optimisation(self.judge.parameters(), self.trainer.max_steps)

    def trained(self) -> nn.Module:
        """The judge, which the optimiser updates."""
        return self.judge

    def exported(self) -> nn.Module:
        """The judge: what evaluation loads."""
        return self.judge

    def _spoil(self, images: Tensor, generator: torch.Generator) -> Tensor:
        small = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
        ranks = Ranks.current()
        options: dict[str, Any] = {"generator": generator, "device": images.device, "dtype": torch.float32}
        chance = ranks.share(lambda n: torch.rand(2, n, 1, 1, 1, **options).movedim(1, 0), len(images))
        images = torch.where(chance[:, 0] < self.blur, small, images)
        noise = ranks.share(lambda n: torch.randn(n, *images.shape[1:], **options), len(images))
        return images + (self.noise * chance[:, 1] * noise).to(images.dtype)
