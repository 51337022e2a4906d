"""Refuses what no training can be made of, before anything is built or written."""

from omegaconf import DictConfig, OmegaConf

from sdg.errors import SDGError
from sdg.training.training import Training

LEAST = {
    "trainer.max_steps": 1,
    "trainer.accumulate_grad_batches": 1,
    "trainer.log_every_n_steps": 1,
    "callbacks.checkpoint.every": 1,
    "callbacks.export.every": 1,
    "data.batch_size": 1,
}
"""The least that each whole number may be."""

SEEDS = 2**32
"""Seeds of NumPy, which Lightning also sets, are below this."""


def check_settings(config: DictConfig) -> None:
    """Check numbers, seed and callbacks.

    Raises:
        SDGError: for the first of them that makes no sense.
    """
    for key, least in LEAST.items():
        value = OmegaConf.select(config, key)
        if value is not None and (type(value) is not int or value < least):
            raise SDGError(f"{key}={value} makes no sense: use a whole number from {least} on")
    if not 0 <= config.seed < SEEDS:
        raise SDGError(f"seed={config.seed} is out of range: use a whole number from 0 to {SEEDS - 1}")
    clip = config.trainer.get("gradient_clip_val")
    if clip is not None and not clip > 0:
        raise SDGError(f"trainer.gradient_clip_val={clip} clips nothing: use null, or a number above 0")
    if not config.callbacks:
        raise SDGError(
            "without callbacks nothing of a training is kept: leave out single ones, as in ~callbacks.bar"
        )
    for name in ("overfit_batches", "limit_train_batches"):
        if config.trainer.get(name):
            raise SDGError(
                f"trainer.{name} would repeat the random numbers of the first steps: use data.train_count=N "
                "to train on few pictures, trainer.max_steps=N for few steps"
            )
    if config.trainer.get("check_val_every_n_epoch") is not None:
        raise SDGError("a training has no epochs: use trainer.val_check_interval=STEPS")


def check_model(model: Training, config: DictConfig) -> None:
    """Check what only some models can do.

    Raises:
        SDGError: if this one cannot.
    """
    pictures = OmegaConf.select(config, "data.batch_size")
    if pictures is not None and pictures < model.least_batch:
        raise SDGError(
            f"data.batch_size={pictures} leaves a contrastive loss nothing to compare: use "
            f"{model.least_batch} or more"
        )
    if not model.automatic_optimization:
        for name, neutral in (("gradient_clip_val", None), ("accumulate_grad_batches", 1)):
            if config.trainer.get(name, neutral) != neutral:
                shown = "null" if neutral is None else neutral
                raise SDGError(f"this model takes its steps itself: use trainer.{name}={shown}")
