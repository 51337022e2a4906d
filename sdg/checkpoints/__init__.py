"""Files in, modules out: every piece of knowledge about checkpoint formats lives here."""

from sdg.checkpoints.weights import load_weights, read_state, save_weights

__all__ = ["load_weights", "read_state", "save_weights"]
