"""A method as a LightningModule, so that Trainer.predict can spread a plan over devices."""

from collections.abc import Callable, Sequence

import pytorch_lightning as pl

from sdg.sampling.method import Method, Sample
from sdg.sampling.plan import PlanEntry


class Predicting(pl.LightningModule):
    """Draws batches of plan entries.

    Args:
        method: draws them.
        on_step: see :meth:`Method.draw`.
    """

    def __init__(self, method: Method, on_step: Callable[[int], None] = lambda images: None):
        super().__init__()
        self.method, self.on_step = method, on_step

    def predict_step(self, batch: Sequence[PlanEntry], batch_idx: int = 0) -> list[Sample]:
        """The samples of ``batch``, in its order."""
        return self.method.draw(batch, self.on_step)
