"""Training an unconditional diffusion prior."""

from typing import Any

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.loss import MAX_WEIGHT, diffusion_loss
from sdg.randomness import keyed_generator
from sdg.training.emphasis import Spot
from sdg.training.optimisation import Optimisation, exponential_average
from sdg.training.ranks import Ranks
from sdg.training.timesteps import Timesteps, Uniform
from sdg.training.training import Training


class PriorTraining(Training):
    """Minimises L_hybrid on images alone; exports an exponential average of the weights.

    The timesteps and noise of a step depend only on (seed, step), so resuming changes nothing.

    Args:
        denoiser: the prior to train.
        ema_decay: decay of the weight average.
        timesteps: distribution of the training timesteps; validation is always uniform.
        emphasis: where errors count most; in validation all count equally.
        max_weight: largest weight of an error of x0: see :func:`diffusion_loss`; validation uses the default.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        optimisation: Optimisation,
        ema_decay: float = 0.999,
        timesteps: Timesteps | None = None,
        emphasis: Spot | None = None,
        max_weight: float = MAX_WEIGHT,
        seed: int = 0,
    ):
        super().__init__()
        self.denoiser, self.optimisation, self.seed = denoiser, optimisation, seed
        self.timesteps, self.emphasis, self.max_weight = timesteps or Uniform(), emphasis, max_weight
        self.ema_decay = ema_decay
        self.average = exponential_average(denoiser.network, ema_decay)

    def on_fit_start(self) -> None:
        # On a CPU, PyTorch's norm of half-precision channels_last takes ten times as long as of the other.
        on_cpu = self.trainer.strategy.root_device.type == "cpu"
        half = not str(self.trainer.precision).startswith("32")
        layout = torch.contiguous_format if on_cpu and half else torch.channels_last
        for network in (self.denoiser.network, self.average):
            network.to(memory_format=layout)

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        generator = keyed_generator("prior", self.seed, batch["step"], device=self.device)
        own = self.timesteps, self.emphasis, self.max_weight
        loss = self._loss(self._states(batch), generator, Ranks.current(), *own)
        self.log("train/loss", loss, prog_bar=True, sync_dist=True)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        # Here, not in on_train_batch_end: a checkpoint is written before Lightning calls that hook.
        self.average.update_parameters(self.denoiser.network)

    def validation_step(self, batch: dict, batch_idx: int) -> None:
        generator = keyed_generator("prior validation", self.seed, batch_idx, device=self.device)
        loss = self._loss(self._states(batch), generator, Ranks(), Uniform())
        self.log("val/loss", loss, batch_size=len(batch["image"]), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return self.optimisation(self.denoiser.network.parameters(), self.trainer.max_steps)

    def trained(self) -> nn.Module:
        """The network that the optimiser updates."""
        return self.denoiser.network

    def exported(self) -> nn.Module:
        """The averaged network: what sampling loads."""
        return self.average.module

    def exported_weights(self) -> str:
        return f"an exponential average over the steps (decay {self.ema_decay:g})"

    def exported_notes(self) -> dict[str, str]:
        """Its schedule and what it predicts."""
        return {
            "schedule": str(self.denoiser.schedule),
            "parameterisation": self.denoiser.parameterisation,
        }

    def _states(self, batch: dict) -> Tensor:
        return self.denoiser.codec.encode(batch["image"])

    def _loss(
        self,
        x0: Tensor,
        generator: torch.Generator,
        ranks: Ranks,
        timesteps: Timesteps,
        emphasis: Spot | None = None,
        max_weight: float = MAX_WEIGHT,
    ) -> Tensor:
        # Whatever the training computes in: a half precision would leave out most timesteps.
        options: dict[str, Any] = {"generator": generator, "device": x0.device, "dtype": torch.float32}

        def quantiles(count: int) -> Tensor:
            # Stratified: each image gets its own stratum, and one uniform number shifts all of them.
            strata = torch.arange(count, device=x0.device, dtype=torch.float32) / count
            return (strata + torch.rand((), **options)) % 1

        t = timesteps(ranks.share(quantiles, len(x0)), self.denoiser.schedule)
        noise = ranks.share(lambda n: torch.randn(n, *x0.shape[1:], **options), len(x0)).to(x0)
        weights = emphasis(x0) if emphasis else None
        return diffusion_loss(self.denoiser, x0, t, noise, weights, max_weight).mean()
