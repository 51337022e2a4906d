"""A method as a LightningModule, so that Trainer.predict can spread a plan over devices."""

from collections.abc import Callable, Sequence

import pytorch_lightning as pl

from sdg.sampling.method import Method, Sample
from sdg.sampling.plan import PlanEntry
from sdg.stopping import listen


class Predicting(pl.LightningModule):
    """Draws batches of plan entries.

    Args:
        method: draws them.
        on_step, on_samples: see :meth:`Method.draw`.
    """

    def __init__(
        self,
        method: Method,
        on_step: Callable[[int], None] = lambda images: None,
        on_samples: Callable[[list[Sample]], None] = lambda samples: None,
    ):
        super().__init__()
        self.method, self.on_step, self.on_samples = method, on_step, on_samples

    def on_predict_start(self) -> None:
        """Answer signals as a command does: Lightning's own handlers let the whole batch end."""
        listen(running=True)

    def predict_step(self, batch: Sequence[PlanEntry], batch_idx: int = 0) -> list[Sample]:
        """The samples of ``batch``, in its order."""
        return self.method.draw(batch, self.on_step, self.on_samples)
