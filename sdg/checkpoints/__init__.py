"""Files in, modules out: all knowledge about checkpoint formats lives here."""

from sdg.checkpoints.checkpoint import Checkpoint, open_checkpoint
from sdg.checkpoints.download import locate
from sdg.checkpoints.weights import load_weights, read_state, save_weights, unfilled

__all__ = [
    "Checkpoint",
    "load_weights",
    "locate",
    "open_checkpoint",
    "read_state",
    "save_weights",
    "unfilled",
]
