"""Base class of the training modules."""

from abc import ABC, abstractmethod

import pytorch_lightning as pl
from torch import nn


class Training(pl.LightningModule, ABC):
    """A LightningModule that names the network it trains and the one it exports for the other commands."""

    @abstractmethod
    def trained(self) -> nn.Module:
        """The network that the optimiser updates; a warm start loads weights into it."""

    @abstractmethod
    def exported(self) -> nn.Module:
        """The network whose weights the training exports."""

    def compile_networks(self) -> None:
        """Speed up the trained networks with ``torch.compile``, in place: checkpoint names do not change."""
        for network in self.compiled():
            network.compile()

    def compiled(self) -> list[nn.Module]:
        """The modules whose forward is worth compiling; by default the trained network."""
        return [self.trained()]
