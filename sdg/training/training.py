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
