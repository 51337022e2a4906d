"""Whether a contrastive loss ends below that of a guess."""

import math
from collections import deque

import torch
from torch import Tensor

LATEST = 100
"""Steps over which the loss at the end of a training is averaged."""


class Contrast:
    """The latest losses of a training that tells the pictures of a batch apart.

    Args:
        of_chance: loss of a guess in units of ln B, where B is the number of pictures: 1 for one
            cross-entropy over them or the mean of several, 2 for the sum of two.
    """

    def __init__(self, of_chance: float):
        self.of_chance = of_chance
        self._losses: deque[Tensor] = deque(maxlen=LATEST)
        self._chance = 0.0

    def note(self, loss: Tensor, pictures: int) -> None:
        """Keep the ``loss`` of a step, a scalar, over so many ``pictures``; the device does not wait."""
        self._losses.append(loss.detach())
        self._chance = self.of_chance * math.log(pictures)

    def verdict(self) -> str:
        """That the mean of the latest losses is above that of a guess; nothing if it is not."""
        if not self._losses:
            return ""
        mean = float(torch.stack(list(self._losses)).mean())
        if mean <= self._chance:
            return ""
        return (
            f"; but they are worse than a guess: the contrastive loss ends at {mean:.3g}, chance is "
            f"{self._chance:.3g}. Train again with a lower model.optimisation.lr, a longer "
            "model.optimisation.warmup, or more steps (trainer.max_steps) if it was still falling"
        )
