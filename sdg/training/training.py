"""What all trainings have in common."""

from abc import ABC, abstractmethod

import pytorch_lightning as pl
from torch import nn


class Training(pl.LightningModule, ABC):
    """A LightningModule that says which network it moves and which one it leaves to the other commands."""

    @abstractmethod
    def trained(self) -> nn.Module:
        """The network that the optimiser moves; a warm start loads its weights."""

    @abstractmethod
    def exported(self) -> nn.Module:
        """The network whose weights the training leaves behind."""

    def compile_networks(self) -> None:
        """Have ``torch.compile`` speed up what is trained, in place: names in checkpoints stay."""
        for network in self.compiled():
            network.compile()

    def compiled(self) -> list[nn.Module]:
        """The modules whose forward is worth compiling; the trained network unless a training says more."""
        return [self.trained()]
