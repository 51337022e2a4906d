"""Loggers: where a run's curves and pictures go, besides its folder."""

import netrc
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger
from torchvision.transforms.functional import to_tensor

import sdg
from sdg.files import write_whole
from sdg.processes import first_process


def wandb_logger(
    project: str, name: str, save_dir: str, offline: bool | None = None, **settings: Any
) -> WandbLogger:
    """A W&B logger; offline unless an API key is found in ``WANDB_API_KEY`` or in ``~/.netrc``.

    A resumed training continues its W&B run, whose id is kept in ``save_dir/wandb/run_id``; in a W&B sweep
    the agent chooses the id.

    Args:
        save_dir: runs are kept in ``save_dir/wandb``; ``wandb sync`` uploads offline ones later.
        offline: forces offline or online.
        settings: further arguments of ``wandb.init``: entity, group, tags, …
    """
    offline = not _has_account() if offline is None else offline
    return WandbLogger(
        project=project,
        name=name,
        save_dir=save_dir,
        offline=offline,
        id=_run_id(save_dir, offline),
        **settings,
    )


def announce(loggers: list[Logger], settings: dict[str, Any]) -> None:
    """Send every logger the settings of the run and the version of the code."""
    for logger in loggers:
        logger.log_hyperparams({"code": code_version(), **settings})


def finish(loggers: list[Logger]) -> None:
    """End the W&B run, so that the next job of a sweep gets its own."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and first_process():
            logger.experiment.finish()


def show_pictures(
    loggers: Sequence[Logger], name: str, pictures: Sequence[Image.Image], captions: Sequence[str], step: int
) -> None:
    """Send pictures to every logger that accepts them."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(key=name, images=list(pictures), step=step, caption=list(captions))
        elif isinstance(logger, TensorBoardLogger):
            for i, picture in enumerate(pictures):
                tag = name if len(pictures) == 1 else f"{name}/{i}"
                logger.experiment.add_image(tag, to_tensor(picture.convert("RGB")), step)


def show_table(loggers: Sequence[Logger], name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Send a table, with plain values or pictures as cells, to every logger that accepts it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and rows:
            from wandb import Image as Picture  # takes a second to import

            cells = [[Picture(c) if isinstance(c, Image.Image) else c for c in row.values()] for row in rows]
            logger.log_table(key=name, columns=list(rows[0]), data=cells)


def code_version() -> str:
    """The package version; in a checkout also the commit, with ``-dirty`` if files were changed."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return sdg.__version__
    return f"{sdg.__version__}+{told}"


def _run_id(save_dir: str, offline: bool) -> str | None:
    if not first_process():
        return None
    path = Path(save_dir) / "wandb" / "run_id"
    path.parent.mkdir(parents=True, exist_ok=True)
    if offline:
        print(f"W&B is offline (no account found): upload later with  wandb sync {path.parent}/offline-run-*")
    known = path.read_text().strip() if path.exists() else uuid.uuid4().hex[:8]
    run_id = os.environ.get("WANDB_RUN_ID", known)
    write_whole(path, run_id)
    return run_id


def _has_account() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (FileNotFoundError, netrc.NetrcParseError):
        return False
