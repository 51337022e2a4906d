"""Figures that a training run saves in its folder and sends to its loggers."""

from pathlib import Path

import pytorch_lightning as pl
from PIL import Image

from sdg.report.loggers import show_pictures


def keep_figure(trainer: pl.Trainer, folder: Path, name: str, figure: Image.Image) -> None:
    """Save ``folder/name_<step>.png``, and send it to every logger that accepts pictures."""
    if not trainer.is_global_zero:
        return
    step = trainer.global_step
    folder.mkdir(parents=True, exist_ok=True)
    figure.save(folder / f"{name}_{step:06d}.png")
    show_pictures(trainer.loggers, name, [figure], [""], step)
