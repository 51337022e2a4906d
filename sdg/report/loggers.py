"""Loggers: where a run's curves and pictures go, besides its folder."""

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger
from torchvision.transforms.functional import to_tensor

import sdg
from sdg.errors import SDGError
from sdg.extras import need
from sdg.processes import first_process
from sdg.report.run_id import kept_id
from sdg.report.tracker import TrackioLogger

_PATIENCE = 5.0
"""Seconds that W&B's server has to answer; else the run is logged offline."""
_DISABLED = "disabled"
_CALLED = ("log_hyperparams", "log_metrics", "log_graph", "save", "finalize", "after_save_checkpoint")
"""What Lightning calls."""


def wandb_logger(
    project: str, name: str, save_dir: str, offline: bool = False, **settings: Any
) -> WandbLogger | None:
    """A W&B logger; offline without an account, or if the server doesn't accept it or doesn't answer.

    The account, its server and the mode are those that wandb itself finds: in variables, its settings files
    and ``.netrc``. A resumed training continues its W&B run, whose id is kept in ``save_dir/wandb/run_id``;
    in a W&B sweep the agent chooses the id.

    Args:
        save_dir: runs are kept in ``save_dir/wandb``; ``wandb sync`` uploads offline ones later.
        offline: whether to log offline in any case.
        settings: further arguments of ``wandb.init``: entity, group, tags, …

    Returns:
        None if wandb is disabled: nothing is written.
    """
    if not first_process():
        return WandbLogger(project=project, name=name, save_dir=save_dir, **settings)
    why_not = "offline=true" if offline else _why_not_online()
    if why_not == _DISABLED:
        return None

    def make(offline: bool) -> WandbLogger:
        own: dict[str, Any] = {
            "project": project,
            "name": name,
            "save_dir": save_dir,
            "id": kept_id(Path(save_dir) / "wandb", os.environ.get("WANDB_RUN_ID")),
        }
        if offline:  # Lightning's own argument sets WANDB_MODE, which wandb has read already
            own["mode"] = "offline"
        return WandbLogger(**own, **settings)

    if why_not is None:
        try:
            logger = make(offline=False)
            _ = logger.experiment  # starts the run
            return logger
        except Exception as error:  # the server's refusals have no class in common
            why_not = _reason(error)
    print(f"W&B is offline ({why_not}): upload later with  wandb sync {save_dir}/wandb/offline-run-*")
    return make(offline=True)


def open_loggers(makers: Mapping[str, Callable[[], Logger | None]], settings: dict[str, Any]) -> list[Logger]:
    """The loggers, told the settings of the run and the version of the code; none can end the run any more.

    One that can't be made is left out, and one that fails later takes nothing more; each is told in a line.
    """
    loggers = []
    for name, make in makers.items():
        try:
            logger = make()
        except Exception as error:  # of whatever package it uses
            print(f"warning: there is no {name} log ({_reason(error)}): the run goes on without it")
            continue
        if logger is not None:
            for called in _CALLED:
                setattr(logger, called, _harmless(logger, getattr(logger, called)))
            loggers.append(logger)
            logger.log_hyperparams({"code": code_version(), **settings})
    return loggers


def finish(loggers: list[Logger]) -> None:
    """End the runs of trackers, so that the next job of a sweep gets its own."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and first_process():
            _harmless(logger, lambda logger=logger: logger.experiment.finish())()
        elif isinstance(logger, TrackioLogger):
            _harmless(logger, logger.finish)()


def show_pictures(
    loggers: Sequence[Logger], name: str, pictures: Sequence[Image.Image], captions: Sequence[str], step: int
) -> None:
    """Send pictures to every logger that accepts them."""
    for logger in loggers:
        if isinstance(logger, WandbLogger | TrackioLogger):
            _harmless(logger, logger.log_image)(
                key=name, images=list(pictures), step=step, caption=list(captions)
            )
        elif isinstance(logger, TensorBoardLogger):
            for i, picture in enumerate(pictures):
                tag = name if len(pictures) == 1 else f"{name}/{i}"
                _harmless(logger, logger.experiment.add_image)(tag, to_tensor(picture.convert("RGB")), step)


def show_table(loggers: Sequence[Logger], name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Send a table, with plain values or pictures as cells, to every logger that accepts it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger | TrackioLogger) and rows:
            picture = need("wandb" if isinstance(logger, WandbLogger) else "trackio").Image
            cells = [[picture(c) if isinstance(c, Image.Image) else c for c in row.values()] for row in rows]
            _harmless(logger, logger.log_table)(key=name, columns=list(rows[0]), data=cells)


def code_version() -> str:
    """The package version; in a checkout also the commit, with ``-dirty`` if files were changed."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return sdg.__version__
    return f"{sdg.__version__}+{told}"


def _harmless(logger: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    """``call``, whose first error is told; after it neither this nor another call of the logger is made."""

    def called(*args: Any, **kwargs: Any) -> Any:
        if not getattr(logger, "sdg_failed", False):
            try:
                return call(*args, **kwargs)
            except Exception as error:  # of whatever package it uses
                logger.sdg_failed = True
                print(
                    f"warning: {type(logger).__name__} has failed ({_reason(error)}): the run goes on without"
                )
        return None

    return called


def _reason(error: BaseException) -> str:
    """An error in a line: ours, or its innermost cause."""
    while error.__cause__ is not None and not isinstance(error, SDGError):
        error = error.__cause__
    if isinstance(error, SDGError):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _why_not_online() -> str | None:
    """Why wandb would not log to its server now; None if it would."""
    if os.environ.get("WANDB_MODE") == _DISABLED:
        return _DISABLED
    wandb = need("wandb")
    mode = wandb.setup().settings.mode
    if mode == _DISABLED:
        return _DISABLED
    if mode not in ("online", "shared"):
        return f"mode {mode}"
    told: list[str | None] = []

    def ask() -> None:
        try:
            told.append(None if wandb.login(prompt=False, verify=True) else "no account found")
        except Exception as error:
            told.append(_reason(error))

    # wandb itself would try for minutes.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return told[0] if told else f"its server did not answer within {_PATIENCE:.0f} s"
