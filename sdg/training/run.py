"""One training run: from configuration to a fitted module, resuming where an earlier run stopped."""

import logging
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from sdg.checkpoints import load_weights
from sdg.config import build, check_sweep, plain, resolved
from sdg.data.fitting import fitting_size
from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.locks import locked_folder
from sdg.processes import first_process
from sdg.report.loggers import finish, open_loggers
from sdg.trainers import make_trainer, together
from sdg.training.finite import Finite
from sdg.training.pace import LoaderClock, Pace
from sdg.training.settings import check_model, check_settings
from sdg.training.training import Training
from sdg.training.whole_checkpoints import WholeCheckpoints, newest_whole

# After importing Lightning, which sets the level itself: show only what a user can act on.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


READING = ("root", "cache", "workers", "pin_memory")


def train(config: DictConfig) -> None:
    """Fit ``config.model`` on ``config.data``; running the same configuration again resumes where it stopped.

    Raises:
        SDGError: unusable settings, or a folder that belongs to another run.
    """
    output_dir = Path(config.output_dir)
    if OmegaConf.select(config, "data.size") == "auto":
        config.data.size = fitting_size(config.data.root, config.data.inside, config.data.cache)
        print(f"data.size=auto: the pictures are learnt at {config.data.size} px")
    check_settings(config)
    trainer = _trainer(config)
    with locked_folder(output_dir):
        model = _fit(trainer, config, output_dir)
    if first_process():
        print(f"finished: weights, card, figures and logs are in {output_dir}{model.verdict()}")


def _fit(trainer: pl.Trainer, config: DictConfig, output_dir: Path) -> Training:
    checkpoint = _find_checkpoint(output_dir, config)
    record = OmegaConf.to_yaml(config)  # building resolves interpolations in place
    pl.seed_everything(config.seed, workers=True, verbose=False)
    data: pl.LightningDataModule = build(config.data)
    model: Training = build(config.model)
    check_model(model, config)
    if config.warm_start is not None:
        load_weights(model.trained(), config.warm_start)
    _check_devices(trainer, model, config)
    if first_process():
        _record(output_dir, record)
        if checkpoint is not None:
            print(f"resuming from {checkpoint}")
    if config.compile:
        model.compile_networks()
    makers = {name: partial(build, node) for name, node in (config.get("logger") or {}).items()}
    trainer.loggers = open_loggers(makers, resolved(config))
    try:
        with warnings.catch_warnings(), together(trainer):
            # Not true here: our data starts at the step where the checkpoint ends.
            warnings.filterwarnings("ignore", message=".* your dataloader is not resumable")
            trainer.fit(model, data, ckpt_path=checkpoint)
    except MisconfigurationException as error:  # what Lightning finds only when it begins
        raise SDGError(f"this training cannot be run: {error}") from error
    finally:
        finish(trainer.loggers)
    return model


def _trainer(config: DictConfig) -> pl.Trainer:
    clock = None if config.trainer.get("profiler") else LoaderClock()
    callbacks = [Finite(), Pace(clock), *build(config.callbacks or {}).values()]
    parts: dict[str, Any] = {"callbacks": callbacks, "logger": False}
    if clock is not None:
        parts["profiler"] = clock
    if not any(isinstance(callback, Checkpoint) for callback in callbacks):
        # Lightning would add one of its own, whose files no run goes on from.
        parts["enable_checkpointing"] = False
    make = partial(build, config.trainer, **parts)
    return make_trainer(make, "trainer=ddp", config.trainer.get("num_nodes", 1), [WholeCheckpoints()])


def _check_devices(trainer: pl.Trainer, model: Training, config: DictConfig) -> None:
    """Raises SDGError if several devices were requested that cannot train together."""
    if trainer.world_size == 1:
        return
    if not model.automatic_optimization:
        raise SDGError("this model trains on one device: use trainer=default trainer.devices=1")
    if config.trainer.get("sync_batchnorm"):
        # Lightning would replace the norms by a type that the encoder does not know.
        raise SDGError("use model.batchnorm=synchronised in place of trainer.sync_batchnorm=true")
    check_sweep(trainer)


RUN = ("data", "prior", "encoder", "judge", "model", "seed", "warm_start")
"""Settings that every training's record has; a folder of samples has a record without some of them."""


def _find_checkpoint(output_dir: Path, config: DictConfig) -> Path | None:
    """The checkpoint that an earlier run with the same settings left, if there is one; writes nothing."""
    if config.resume not in ("auto", False):
        raise SDGError(
            f"resume={config.resume} is unknown: use auto to continue the run found in output_dir, or false "
            "to insist on an unused folder"
        )
    record = output_dir / "config.yaml"
    if not record.exists():
        return None
    if not config.resume:
        if not first_process():
            return None  # the first process has just written the record
        raise SDGError(
            f"{output_dir} is already in use: choose another output_dir, or resume=auto to continue"
        )
    found = plain(OmegaConf.load(record))
    if any(name not in found for name in RUN) or _settings(found) != _settings(plain(config)):
        raise SDGError(
            f"{output_dir} holds a run with other settings: choose another output_dir, or remove it"
        )
    return newest_whole(output_dir / "checkpoints")


def _record(output_dir: Path, record: str) -> None:
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        write_whole(output_dir / "config.yaml", record)
    except OSError as error:
        raise SDGError(
            f"cannot write to {output_dir} ({error.strerror}): mend that, or choose another output_dir"
        ) from error


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    """What must not change in a resumed run: networks, data, seed, what a step is; its length may change."""
    kept = {name: settings[name] for name in RUN} | {"distillation": settings.get("distillation")}
    steps = {name: settings["trainer"].get(name) for name in ("accumulate_grad_batches", "gradient_clip_val")}
    # The location of the pictures and how they are read may change, but not which pictures they are.
    return kept | {"data": {k: v for k, v in kept["data"].items() if k not in READING}, "trainer": steps}
