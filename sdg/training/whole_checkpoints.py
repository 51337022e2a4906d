"""Checkpoints that survive being killed at any moment: the new one is whole before the old one goes."""

import os
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

NEWEST, BEFORE = "last.ckpt", "previous.ckpt"


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the file and moves; what had the name becomes ``previous.ckpt``.

    Lightning's own writes where temporary files go, mostly another disk, from where a move is a copy.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Raises SDGError where there is no room."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                torch.save(checkpoint, file)
                if path.exists():
                    os.replace(path, path.with_name(BEFORE))
        except (OSError, RuntimeError) as error:  # PyTorch tells of a full disk as the latter
            reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
            raise SDGError(
                f"cannot write {path} ({reason}): make room and give the same command again, it goes on from "
                "the checkpoint before"
            ) from error


class Checkpoints(Checkpoint):
    """Keeps the state of a training every so many steps, and at its last one: it may be made longer later.

    Args:
        folder: the state is ``last.ckpt`` there.
        every: steps between two.
    """

    def __init__(self, folder: str, every: int = 250):
        self.folder, self.every = Path(folder), every
        self._kept = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._kept = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        step = trainer.global_step
        # Where batches are accumulated, several end at one step.
        if step != self._kept and (step % self.every == 0 or step == trainer.max_steps):
            trainer.save_checkpoint(self.folder / NEWEST)
            self._kept = step


def newest_whole(folder: Path) -> Path | None:
    """The checkpoint to go on from, if there is one; a damaged one is passed over with a warning.

    It is read once, for its checksums.

    Raises:
        SDGError: there are checkpoints, and none is whole.
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
