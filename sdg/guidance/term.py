"""Term: one way in which an image can match a target."""

from abc import ABC, abstractmethod

from torch import Tensor

from sdg.networks.time_clip import Features


class Term(ABC):
    """F_k: features of x_t and a target -> one score per sample, higher is better.

    A term never mixes the samples of a batch: the score of sample i depends on sample i alone.
    """

    @abstractmethod
    def __call__(self, features: Features, target: Tensor) -> Tensor:
        """(B,) scores; differentiable in ``features``."""
