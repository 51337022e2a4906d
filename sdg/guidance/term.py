"""Term: one way in which an image can match a target."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from torch import Tensor

from sdg.diffusion.level import Level
from sdg.guidance.weight import Visible, Weight, number
from sdg.networks.time_encoder import POOLED


class Term(ABC):
    """F_k: features of x_t and of a target -> one score per sample, higher is better.

    A term never mixes the samples of a batch: the score of sample i depends on sample i alone.

    Args:
        weight: w_k, a number, a function of progress, or ``"visible"`` for :class:`Visible`.
        target: this term's own prompt, or the path of its own reference, for every sample; by default each
            sample has its own.

    Raises:
        SDGError: a weight that is not a finite number.
    """

    reads: ClassVar[Literal["prompt", "reference"]]
    """What a target is made from: words, by the text encoder, or a picture, by the encoder of x_t."""

    holds: ClassVar[bool] = False
    """Whether words may come held against their opposites (:class:`~sdg.guidance.held.Held`); otherwise they
    always come as vectors (B, D)."""

    def __init__(self, weight: float | Weight | Literal["visible"] = 1.0, target: str | None = None):
        self.weight = Visible() if weight == "visible" else weight
        if not isinstance(self.weight, Weight):
            number(self.weight, "weight")
        self.target = target

    def weight_at(self, level: Level) -> float:
        """w_k at a noise level of the chain."""
        return self.weight.at(level) if isinstance(self.weight, Weight) else self.weight

    @property
    def depth(self) -> int:
        """The deepest of the encoder's stages that it reads, of 0 … 4; or the embedding behind them."""
        return POOLED

    @abstractmethod
    def __call__(self, features: Any, target: Any) -> Tensor:
        """(B,) scores, differentiable in ``features``; a target has a row for each sample, or one for all."""
