"""Weights & Biases, online where there is an account and offline where there is none."""

import netrc
import os
from pathlib import Path

from pytorch_lightning.loggers import WandbLogger


def wandb_logger(project: str, name: str, save_dir: str, offline: bool | None = None) -> WandbLogger:
    """A W&B logger; offline unless an API key is found in ``WANDB_API_KEY`` or in ``~/.netrc``.

    Args:
        save_dir: offline runs are kept in ``save_dir/wandb``; ``wandb sync`` uploads them later.
        offline: force one or the other.
    """
    offline = not _has_account() if offline is None else offline
    Path(save_dir).mkdir(parents=True, exist_ok=True)
    if offline:
        print(
            f"W&B is offline (no account found): upload later with  wandb sync {save_dir}/wandb/offline-run-*"
        )
    return WandbLogger(project=project, name=name, save_dir=save_dir, offline=offline)


def _has_account() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (FileNotFoundError, netrc.NetrcParseError):
        return False
