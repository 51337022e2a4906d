"""Sample grids of a prior or a generator during training."""

from pathlib import Path

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.callbacks import Callback
from torch import Tensor, no_grad
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Timeline
from sdg.networks.stylegan2 import StyleGAN2
from sdg.training.figures import keep_figure
from sdg.training.prior import PriorTraining
from sdg.training.stylegan import StyleGANTraining


class SampleGrid(Callback):
    """After each validation, draws from the same noise with the averaged weights: ``samples_<step>.png``.

    Args:
        folder: where the figures go.
        count: pictures, in rows of eight.
        steps: sampling steps.
    """

    def __init__(self, folder: str, sampler: Sampler, count: int = 32, steps: int | str = 50):
        self.folder, self.sampler, self.count, self.steps = Path(folder), sampler, count, steps

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PriorTraining)
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        prior = pl_module.denoiser
        averaged = prior.around(pl_module.exported())
        noise = NoiseSource([(0, i) for i in range(self.count)])
        timeline = Timeline(prior.schedule, self.steps)
        images = generate(averaged.eval(), self.sampler, timeline, noise, device=pl_module.device)
        keep_figure(trainer, self.folder, "samples", _sheet(prior.codec.decode(images)))


class GeneratorGrid(Callback):
    """After each validation, draws the same latents with the averaged generator, like :class:`SampleGrid`.

    Args:
        folder: where the figures go.
        count: pictures, in rows of eight.
    """

    def __init__(self, folder: str, count: int = 32):
        self.folder, self.count = Path(folder), count

    @no_grad()
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, StyleGANTraining)
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        generator = pl_module.exported()
        assert isinstance(generator, StyleGAN2)
        noise = NoiseSource([(0, i) for i in range(self.count)], "latent")
        z = noise.normal((generator.latent_dim,), pl_module.device).to(generator.input.input.dtype)
        images = generator(z, noise)
        keep_figure(trainer, self.folder, "samples", _sheet(images))


def _sheet(images: Tensor) -> Image.Image:
    """Pictures (B, 3, S, S) in [-1, 1], side by side."""
    return to_pil_image(make_grid((images.float().clamp(-1, 1) + 1) / 2, nrow=8, padding=2).cpu())
