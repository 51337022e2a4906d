"""Features, the basis of every distance, with words that say how they are computed."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from sdg.errors import SDGError


class Extractor(nn.Module, ABC):
    """Pictures (B, 3, H, W) uint8 -> features (B, D) float32, by a frozen network.

    Args:
        protocol: which network and layer, and how pictures are brought to its size, in words.
        weights: SHA-256 of the network's weights.
    """

    kept = True
    """Whether features are kept in a file; not if they are larger than the pictures."""
    keeps: str | None = None
    """Name of what is kept, where extractors of one network keep the same; None: the features themselves."""

    def __init__(self, protocol: str, weights: str):
        super().__init__()
        self.protocol, self.weights = protocol, weights

    @abstractmethod
    def forward(self, pictures: Tensor) -> Tensor:
        """What is kept of pictures, (B, K) float32: the features, unless :meth:`of` takes them from it."""

    def of(self, kept: Tensor) -> Tensor:
        """The features (N, D) in what was kept, (N, K)."""
        return kept

    def texts(self, prompts: Sequence[str]) -> Tensor:
        """(M, D) vectors whose inner products with features say how well each text fits each picture.

        Raises:
            SDGError: these features cannot be compared with text, or a prompt cannot be read.
        """
        raise SDGError(f"{type(self).__name__} reads no texts: choose features that do, as CLIP's")

    def freeze(self) -> None:
        """Call this once the weights are loaded."""
        self.eval().requires_grad_(False)
