"""Checkpoints that survive a kill at any moment: the new one is complete before the old one goes."""

import os
import signal
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from sdg.errors import SDGError
from sdg.files import whole_file
from sdg.processes import first_process
from sdg.stopping import Stopped, asked, listen, wait_for_step

NEWEST, BEFORE = "last.ckpt", "previous.ckpt"


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the target file and renames; the old file becomes ``previous.ckpt``.

    Lightning's own writes to the temporary folder, mostly on another disk, from which a move is a copy.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Raises SDGError if writing fails."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                torch.save(checkpoint, file)
                if path.exists():
                    os.replace(path, path.with_name(BEFORE))
        except (OSError, RuntimeError) as error:  # PyTorch reports a full disk as the latter
            reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
            raise SDGError(
                f"cannot write {path} ({reason}): make room and give the same command again, it goes on from "
                "the checkpoint before"
            ) from error


class Checkpoints(Checkpoint):
    """Saves the training state at regular steps, and at the last one so that training can be extended.

    A signal to end waits for the end of the step, which is then saved too; during a validation, which changes
    nothing, it ends the run at once. All processes end at the same step, whichever got the signal.

    Args:
        folder: where ``last.ckpt`` is saved.
        every: steps between saves.
    """

    def __init__(self, folder: str, every: int = 250):
        self.folder, self.every = Path(folder), every
        self._kept = self._seen = 0

    def newest(self) -> str | None:
        """The newest checkpoint and its step, in words; None before there is one."""
        path = self.folder / NEWEST
        return f"{path} of step {self._kept}" if self._kept and path.exists() else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._kept = self._seen = trainer.global_step
        listen(running=True)
        wait_for_step(True)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        step = trainer.global_step
        # With gradient accumulation, several batches end at one step.
        ended, self._seen = step != self._seen, step
        told = ended and trainer.strategy.reduce_boolean_decision(asked() is not None, all=False)
        last = step == trainer.max_steps or trainer.should_stop
        if step != self._kept and (told or step % self.every == 0 or last):
            trainer.save_checkpoint(self.folder / NEWEST)
            self._kept = step
        if told:
            raise Stopped(asked() or signal.SIGTERM)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        wait_for_step(False)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        wait_for_step(True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        wait_for_step(False)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        wait_for_step(False)


def newest_whole(folder: Path) -> Path | None:
    """The checkpoint to resume from, if there is one; a damaged one is skipped with a warning.

    Each is read once, to verify its checksums.

    Raises:
        SDGError: there are checkpoints, but all are damaged.
    """
    found = [folder / name for name in (NEWEST, BEFORE) if (folder / name).exists()]
    for path in found:
        if _is_whole(path):
            return path
        if first_process():
            print(f"warning: {path} is damaged: passed over")
    if found:
        raise SDGError(f"{found[0]} is damaged: remove it to start anew, or put back a whole checkpoint")
    return None


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (
        zipfile.BadZipFile,
        RuntimeError,
        ValueError,
        EOFError,
        struct.error,
    ):  # what damage may look like
        return False
