"""Checkpoints that survive being killed at any moment: the new one is whole before the old one goes."""

import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from sdg.errors import SDGError
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
        part = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                os.replace(path, path.with_name(BEFORE))
            os.replace(part, path)
        except (OSError, RuntimeError) as error:  # PyTorch tells of a full disk as the latter
            part.unlink(missing_ok=True)
            reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
            raise SDGError(
                f"cannot write {path} ({reason}): make room and give the same command again, it goes on from "
                "the checkpoint before"
            ) from error


def newest_whole(folder: Path) -> Path | None:
    """The checkpoint to go on from, if there is one; a truncated one is passed over with a warning.

    Raises:
        SDGError: there are checkpoints, and none is whole.
    """
    found = [folder / name for name in (NEWEST, BEFORE) if (folder / name).exists()]
    whole = [path for path in found if zipfile.is_zipfile(path)]
    if not found:
        return None
    if not whole:
        raise SDGError(f"{found[0]} is truncated: remove it to start anew, or put back a whole checkpoint")
    if whole[0] != found[0] and first_process():
        print(f"warning: {found[0]} is truncated: passed over for the one before it")
    return whole[0]
