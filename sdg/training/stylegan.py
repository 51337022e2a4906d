"""Training a StyleGAN2 (Karras et al. 2020): the generator whose latents are searched."""

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from sdg.diffusion.noise import NoiseSource
from sdg.networks.stylegan2 import StyleGAN2
from sdg.networks.stylegan2_discriminator import Discriminator
from sdg.training.optimisation import Optimisation, exponential_average
from sdg.training.training import Training, gradient_norm


class StyleGANTraining(Training):
    """Non-saturating logistic loss, lazy R1 and path-length penalties; exports a weight average.

    The latents and noise of a step depend only on (seed, step), so resuming changes nothing. Each step
    updates both networks once: the discriminator first, then, against it, the generator on the same pictures.

    Args:
        optimisation: for both networks; each gets its own AdamW.
        r1: γ of the penalty γ/2 ‖∇D(x)‖² on real pictures.
        r1_every: steps from one such penalty to the next; each is weighted by this number in return.
        path_length: weight of the generator's path-length penalty; 0 leaves it out.
        path_length_every: like ``r1_every``.
        ema_decay: decay of the generator's average.
    """

    path_mean: Tensor

    def __init__(
        self,
        generator: StyleGAN2,
        discriminator: Discriminator,
        optimisation: Optimisation,
        r1: float = 0.1,
        r1_every: int = 16,
        path_length: float = 0.0,
        path_length_every: int = 8,
        ema_decay: float = 0.998,
        seed: int = 0,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.optimisation, self.seed = generator, optimisation, seed
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.r1, self.r1_every = r1, r1_every
        self.path_length, self.path_length_every = path_length, path_length_every
        self.ema_decay = ema_decay
        self.average = exponential_average(generator, ema_decay)
        self.register_buffer("path_mean", torch.zeros(()))

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        real, step = batch["image"], batch["step"]
        noise = NoiseSource([(self.seed, step * len(real) + i) for i in range(len(real))], "stylegan")
        fake = self.generator(self._latents(noise, real), noise)
        generator_optimizer, discriminator_optimizer = self._optimizers()

        loss_d = self._discriminator_loss(real, fake.detach())
        if (step + 1) % self.r1_every == 0:
            penalty = gradient_penalty(self.discriminator, real)
            self.log("train/r1", penalty)
            loss_d = loss_d + self.r1 / 2 * self.r1_every * penalty
        discriminator_optimizer.zero_grad()
        self.manual_backward(loss_d)
        self.log("train/gradient_norm_discriminator", gradient_norm(discriminator_optimizer.optimizer))
        # Without Lightning's wrapper, which would count a second step: data and checkpoints use that count.
        discriminator_optimizer.optimizer.step()

        self.discriminator.requires_grad_(False)
        loss_g = F.softplus(-self.discriminator(fake)).mean()
        self.log("train/generator", loss_g, prog_bar=True)
        if self.path_length and (step + 1) % self.path_length_every == 0:
            penalty = self._path_penalty(self._latents(noise, real), noise)
            loss_g = loss_g + self.path_length * self.path_length_every * penalty
        generator_optimizer.zero_grad()
        self.manual_backward(loss_g)
        self.discriminator.requires_grad_(True)
        generator_optimizer.step()

        self.average.update_parameters(self.generator)
        for scheduler in self.lr_schedulers():  # type: ignore[union-attr]  # there are two
            scheduler.step()
        return (loss_d + loss_g).detach()

    def validation_step(self, batch: dict, batch_idx: int) -> None:
        # On unseen real pictures: if this falls below train/real, the discriminator is memorising.
        self.log("val/real", self.discriminator(batch["image"]).mean(), batch_size=len(batch["image"]))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        steps = self.trainer.max_steps
        networks = (self.generator, self.discriminator)
        return tuple(self.optimisation(network.parameters(), steps) for network in networks)

    def trained(self) -> nn.Module:
        """The generator; the discriminator always starts anew."""
        return self.generator

    def exported(self) -> nn.Module:
        """The averaged generator, whose latents are searched."""
        return self.average.module

    def exported_weights(self) -> str:
        return f"an exponential average over the steps (decay {self.ema_decay:g})"

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers: Any = self.optimizers()
        return optimizers

    def _discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        on_real, on_fake = self.discriminator(real), self.discriminator(fake)
        loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
        self.log_dict({"train/real": on_real.mean(), "train/fake": on_fake.mean()})
        self.log("train/discriminator", loss, prog_bar=True)
        return loss

    def _latents(self, noise: NoiseSource, like: Tensor) -> Tensor:
        return noise.normal((self.generator.latent_dim,), self.device).to(like.dtype)

    def _path_penalty(self, z: Tensor, noise: NoiseSource) -> Tensor:
        """Mean of (‖Jᵀy‖ - its running mean)² over a batch of pictures from latents z, in float32."""
        with torch.autocast(self.device.type, enabled=False):
            w = self.generator.mapping(z)
            w = w[:, None].expand(-1, self.generator.layers, -1)
            images = self.generator.synthesis(w, noise)
            lengths = path_lengths(images, w, noise.normal(images.shape[1:], self.device))
        self.path_mean.lerp_(lengths.detach().mean().to(self.path_mean), 0.01)
        self.log("train/path_length", self.path_mean)
        return (lengths - self.path_mean).square().mean()


def gradient_penalty(discriminator: nn.Module, images: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018) without its weight: mean over images (B, …) of ‖∇D(x)‖², in float32."""
    images = images.detach().requires_grad_()
    with torch.autocast(images.device.type, enabled=False):
        logits = discriminator(images).sum()
        (gradient,) = torch.autograd.grad(logits, images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """‖Jᵀy‖ (B,), where J = ∂images/∂w, w (B, L, D), y random pictures: Karras et al. 2020, section 3.2.

    Scaled by 1/√(HW); squares are averaged over the L layers.
    """
    scale = (images.shape[-1] * images.shape[-2]) ** -0.5
    (gradient,) = torch.autograd.grad((images * y).sum() * scale, w, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()
