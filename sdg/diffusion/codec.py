"""Codec: between pictures, as people, files and encoders have them, and the states that a prior draws."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.pixels import to_grey


class Codec(nn.Module, ABC):
    """Translates between pictures, always (B, 3, S, S) about [-1, 1], and clean states (B, C, s, s)."""

    pixels: bool = True
    """Whether a noised state is a noised picture: decoding is linear, and leaves each pixel's noise alone."""

    @abstractmethod
    def encode(self, pictures: Tensor) -> Tensor:
        """The states that stand for ``pictures``, without a gradient."""

    @abstractmethod
    def decode(self, states: Tensor) -> Tensor:
        """The pictures that ``states`` stand for; differentiable."""

    @abstractmethod
    def picture_size(self, side: int) -> int:
        """The side S of the pictures of states of ``side`` s."""

    def settle(self, states: Tensor) -> Tensor:
        """Finished states in their range: pixels are clamped to [-1, 1]."""
        return states.clamp(-1, 1)


class Pixels(Codec):
    """States that are pictures: in colour, or grey; perhaps with a border that nobody sees.

    Args:
        channels: 3, or 1 for a prior of grey pictures, whose three colours are then equal.
        padding: pixels on each side that the prior draws and pictures do not have. A picture's own edge is
            repeated there: for digits on black ground, what such a prior has learned from.

    Raises:
        SDGError: another number of channels, or a padding that leaves nothing.
    """

    def __init__(self, channels: int = 3, padding: int = 0):
        super().__init__()
        if channels not in (1, 3):
            raise SDGError(
                f"pictures have 3 channels, or 1 if they are grey, this prior draws {channels}: choose "
                "another, or give the autoencoder between it and pictures (prior.denoiser.codec)"
            )
        if padding < 0:
            raise SDGError(f"padding={padding} is no number of pixels: use 0 or more")
        self.channels, self.padding = channels, padding

    def encode(self, pictures: Tensor) -> Tensor:
        states = to_grey(pictures) if self.channels == 1 else pictures
        return F.pad(states, [self.padding] * 4, mode="replicate") if self.padding else states

    def decode(self, states: Tensor) -> Tensor:
        if cut := self.padding:
            states = states[..., cut:-cut, cut:-cut]
        return states.expand(-1, 3, -1, -1) if self.channels == 1 else states

    def picture_size(self, side: int) -> int:
        size = side - 2 * self.padding
        if size < 1:
            raise SDGError(f"padding={self.padding} leaves nothing of states of side {side}: use less")
        return size
