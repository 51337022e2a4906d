"""Plain CLIP in place of the time-dependent encoder: the same network, never trained on noise."""

from pathlib import Path

import torch

from experiments.running import configuration
from sdg.checkpoints import load_weights, locate, save_weights
from sdg.config import build
from sdg.networks.time_encoder import from_clip
from sdg.randomness import keyed_generator

PLAIN = "plain_clip.safetensors"


def plain_clip(folder: Path, settings: list[str]) -> Path:
    """Weights of the encoder before it was trained on noise, when it *is* CLIP's image tower at every t.

    Args:
        folder: where they are written, unless they exist.
        settings: of ``sample.py``; they select the CLIP.

    Raises:
        SDGError: CLIP's weights cannot be found, or the encoder is no copy of it.
    """
    path = folder / PLAIN
    if not path.is_file():
        encoder = configuration("sample", settings).encoder
        clip = build(encoder.clip)
        load_weights(clip, locate(encoder.clip_checkpoint, setting="encoder.clip_checkpoint"))
        network = from_clip(clip.model.visual, build(encoder.network), generator=keyed_generator("plain"))
        save_weights(path, network, dtype=torch.float32)
    return path
