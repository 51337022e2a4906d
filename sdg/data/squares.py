"""Squares of one size, cut from the pictures of a source on demand."""

from typing import Protocol

from torch import Tensor

from sdg.data.picture import PREPARATIONS, to_tensor
from sdg.data.source import PictureSource
from sdg.errors import SDGError


class Squares(Protocol):
    """Pictures by index, (3, size, size) uint8; a damaged one raises SDGError."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Tensor: ...


class SourceSquares:
    """Squares decoded and prepared anew each time.

    Args:
        size: side in pixels.
        preparation: ``adm`` as in ADM's training loader (BOX halving, BICUBIC, centre crop), ``box`` as ADM
            prepared LSUN (BOX to the short side, centre crop).
        enlarge: also accept pictures smaller than ``size``.
    """

    def __init__(self, source: PictureSource, size: int, preparation: str = "adm", enlarge: bool = False):
        if preparation not in PREPARATIONS:
            raise SDGError(f"data.preparation={preparation} is unknown: use {' or '.join(PREPARATIONS)}")
        self.source, self.size, self.preparation, self.enlarge = source, size, preparation, enlarge

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Tensor:
        image = self.source.open(index)
        if min(image.size) < self.size and not self.enlarge:
            raise SDGError(
                f"{self.source.name(index)} is {image.width} x {image.height} pixels, smaller than "
                f"data.size={self.size}: use a smaller size, or data.enlarge=true"
            )
        return to_tensor(PREPARATIONS[self.preparation](image, self.size))

    def settings(self) -> dict[str, str | int | bool]:
        """What the pixels depend on."""
        return {
            "source": self.source.fingerprint(),
            "count": len(self),
            "size": self.size,
            "preparation": self.preparation,
            "enlarge": self.enlarge,
        }
