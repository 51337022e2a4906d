"""Base class of the training modules."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import Optimizer

from sdg.randomness import seed_torch
from sdg.training.optimisation import Optimisation
from sdg.training.ranks import Ranks


class Training(pl.LightningModule, ABC):
    """A LightningModule that names the network it trains and the one it exports for the other commands."""

    optimisation: Optimisation
    seed: int

    least_batch: ClassVar[int] = 1
    """The fewest pictures that a batch of this training may hold, on all devices together."""

    @abstractmethod
    def trained(self) -> nn.Module:
        """The network that the optimiser updates; a warm start loads weights into it."""

    @abstractmethod
    def exported(self) -> nn.Module:
        """The network whose weights the training exports."""

    def exported_weights(self) -> str:
        """Which weights :meth:`exported` holds, for the card."""
        return "those after the last step"

    def exported_notes(self) -> dict[str, str]:
        """What else the exported file says of itself, by name."""
        return {}

    def verdict(self) -> str:
        """What is wrong with a training that has just ended, with its remedy; nothing if all is well."""
        return ""

    def compile_networks(self) -> None:
        """Speed up the trained networks with ``torch.compile``, in place: checkpoint names do not change."""
        for network in self.compiled():
            network.compile()

    def compiled(self) -> list[nn.Module]:
        """The modules whose forward is worth compiling; by default the trained network."""
        return [self.trained()]

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Make dropout, which draws from torch's own generators, a function of (seed, step, rank)."""
        seed_torch("training step", self.seed, batch["step"], Ranks.current().rank)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the norm of the gradient as it is before clipping."""
        self.log("train/gradient_norm", gradient_norm(optimizer))


def gradient_norm(optimizer: Optimizer) -> Tensor:
    """The Euclidean norm of all gradients that ``optimizer`` is about to use, a scalar."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
