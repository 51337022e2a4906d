"""Files in, modules out: all knowledge about checkpoint formats lives here.

Where files are is told without torch, which the rest imports when first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdg.checkpoints.checkpoint import Checkpoint, open_checkpoint
    from sdg.checkpoints.download import locate
    from sdg.checkpoints.weights import load_weights, read_state, save_weights, unfilled

_IN = {
    "Checkpoint": "checkpoint",
    "open_checkpoint": "checkpoint",
    "locate": "download",
    "load_weights": "weights",
    "read_state": "weights",
    "save_weights": "weights",
    "unfilled": "weights",
}

__all__ = [
    "Checkpoint",
    "load_weights",
    "locate",
    "open_checkpoint",
    "read_state",
    "save_weights",
    "unfilled",
]


def __getattr__(name: str) -> Any:
    if name in _IN:
        return getattr(import_module(f"{__name__}.{_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
