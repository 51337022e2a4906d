"""Figures that a training leaves in its folder and shows to its loggers."""

from pathlib import Path

import pytorch_lightning as pl
from PIL import Image


def keep_figure(trainer: pl.Trainer, folder: Path, name: str, figure: Image.Image) -> None:
    """Save ``folder/name_<step>.png``, and hand the picture to every logger that takes pictures (W&B)."""
    if not trainer.is_global_zero:
        return
    folder.mkdir(parents=True, exist_ok=True)
    figure.save(folder / f"{name}_{trainer.global_step:06d}.png")
    for logger in trainer.loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(key=name, images=[figure], step=trainer.global_step)
