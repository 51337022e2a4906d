"""Ends a training whose numbers are no longer finite, before any of them is kept."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from sdg.errors import SDGError
from sdg.training.whole_checkpoints import Checkpoints

NEVER = -1


class Finite(Callback):
    """Notes on the device, after every step, whether loss, weights and statistics are finite.

    The note is read where a device would not wait for it: at every step on a CPU, elsewhere when the loggers
    read numbers anyway, and before anything is kept (:func:`check_finite`). The step that it names is the
    first of them all, whenever it is read.

    Raises:
        SDGError: in a training that has diverged.
    """

    def __init__(self) -> None:
        self._watched: list[list[Tensor]] = []
        self._first = torch.full((2,), NEVER)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # What a checkpoint would hold. Other buffers may well be infinite, as the mask of a text tower is.
        tensors = [t for t in pl_module.state_dict().values() if t.is_floating_point() and t.numel()]
        kinds = {tensor.dtype for tensor in tensors}
        self._watched = [[tensor for tensor in tensors if tensor.dtype == kind] for kind in kinds]
        self._first = torch.full((2,), NEVER, device=pl_module.device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        finite = torch.stack([outputs["loss"].isfinite(), self._weights_are_finite()])
        self._first = torch.where(~finite & (self._first == NEVER), trainer.global_step, self._first)
        every = trainer.log_every_n_steps if self._first.is_cuda else 1  # type: ignore[attr-defined]
        if trainer.global_step % every == 0:
            self.check(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.check(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.check(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.check(trainer)

    def check(self, trainer: pl.Trainer) -> None:
        """Raise SDGError if a step before this moment gave numbers that are not finite."""
        steps = zip(self._first.tolist(), ("its loss is", "its weights are"), strict=True)
        if found := [(step, what) for step, what in steps if step != NEVER]:
            step, what = min(found)
            raise SDGError(
                f"this training has diverged: {what} not finite from step {step} of {trainer.max_steps} on; "
                f"{_last_good(trainer)}, and nothing later was kept. {_remedies(trainer)}"
            )

    def _weights_are_finite(self) -> Tensor:
        # The largest magnitude is not finite if any number is not; a sum of squares might overflow.
        norms = [torch.stack(torch._foreach_norm(tensors, torch.inf)) for tensors in self._watched]
        return torch.stack([norm.isfinite().all() for norm in norms]).all()


def check_finite(trainer: pl.Trainer) -> None:
    """Raise SDGError if ``trainer``'s training has diverged: to be called before something of it is kept."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set, but not declared
        if isinstance(callback, Finite):
            callback.check(trainer)


def _last_good(trainer: pl.Trainer) -> str:
    keepers = [c for c in trainer.callbacks if isinstance(c, Checkpoints)]  # type: ignore[attr-defined]
    kept = keepers[0].newest() if keepers else None
    return "no checkpoint was due before" if kept is None else f"the last good state is {kept}"


def _remedies(trainer: pl.Trainer) -> str:
    again = (
        "Start again in another output_dir with a lower model.optimisation.lr, a longer "
        "model.optimisation.warmup or trainer.gradient_clip_val=1"
    )
    if trainer.precision in ("32-true", "64-true"):
        return again
    return f"{again}; or give the same command with trainer.precision=32-true, which goes on from there"
