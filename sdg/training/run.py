"""One training run: from configuration to a fitted module, resuming where an earlier run stopped."""

import logging
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from sdg.config import build, plain
from sdg.errors import SDGError

# After Lightning has been imported, which sets the level itself: only what a user can act on.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def train(config: DictConfig) -> None:
    """Fit ``config.model`` on ``config.data``. Run again with the same configuration, it goes on where it stopped."""
    output_dir = Path(config.output_dir)
    checkpoint = _claim(output_dir, config)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    data, model = build(config.data), build(config.model)
    loggers = list(build(config.logger).values()) if config.logger else False
    trainer = build(config.trainer, callbacks=list(build(config.callbacks).values()), logger=loggers)
    trainer.fit(model, data, ckpt_path=checkpoint)
    print(f"finished: weights, card, figures and logs are in {output_dir}")


def _claim(output_dir: Path, config: DictConfig) -> Path | None:
    """Record the configuration in ``output_dir``; the checkpoint to resume from, if there is one.

    Raises:
        SDGError: when the folder holds the run of another configuration.
    """
    record = output_dir / "config.yaml"
    if record.exists():
        if not config.resume:
            raise SDGError(f"{output_dir} is already in use: choose another output_dir, or resume=true to continue")
        if _settings(OmegaConf.load(record)) != _settings(config):
            raise SDGError(f"{output_dir} holds a run with other settings: choose another output_dir, or remove it")
    output_dir.mkdir(parents=True, exist_ok=True)
    record.write_text(OmegaConf.to_yaml(config, resolve=True))
    last = output_dir / "checkpoints" / "last.ckpt"
    return last if last.exists() else None


def _settings(config: DictConfig) -> dict:
    """What must not change when a run is continued: everything but its length."""
    settings = plain(config)
    del settings["resume"], settings["trainer"]["max_steps"]
    return settings
