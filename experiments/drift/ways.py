"""What is compared: ways of guiding, with one set of networks or another."""

import argparse
from pathlib import Path

from experiments.grid import Way
from sdg.errors import SDGError

WEIGHT = "guidance.terms.text.weight"
WINDOW = f"{WEIGHT}={{_target_: sdg.guidance.weight.NoiseWindow, start: 500}}"
VISIBLE, MEAN, OPPOSITE = f"{WEIGHT}=visible", "guidance.contrast=mean", "guidance.contrast=opposite"

WAYS: dict[str, list[str]] = {
    "paper": ["guidance=text_paper"],
    "window": ["guidance=text_paper", WINDOW],
    "visible": ["guidance=text_paper", VISIBLE],
    "contrast": ["guidance=text_paper", MEAN],
    "contrast_window": ["guidance=text_paper", MEAN, WINDOW],
    "contrast_visible": ["guidance=text_seen"],
    "opposite": ["guidance=text_paper", OPPOSITE],
    "opposite_visible": ["guidance=text_paper", OPPOSITE, VISIBLE],
    "default": [],
}
"""Name -> settings of ``sample.py``."""


def ways(options: argparse.Namespace) -> list[Way]:
    """Each chosen way with the networks that ship, then with those of each other folder, then so with each
    other prior.

    Raises:
        SDGError: a folder without the networks of an encoder, or no such prior.
    """
    sampler = f"sampler={options.sampler}"
    encoders = [("", []), *((f", {folder.name}", _encoder(folder)) for folder in options.encoders)]
    priors = [("", []), *((f", {file.stem}", _prior(file)) for file in options.priors)]
    return [
        Way(f"{name}{encoder}{prior}", [sampler, *WAYS[name], *seeing, *drawing])
        for prior, drawing in priors
        for encoder, seeing in encoders
        for name in options.ways
    ]


def _encoder(folder: Path) -> list[str]:
    """Settings that choose CLIP, copy and card in a folder, under the names in which they ship."""
    files = {
        "clip_checkpoint": "clip.safetensors",
        "checkpoint": "time_clip.safetensors",
        "card": "time_clip.json",
    }
    for name in files.values():
        if not (folder / name).is_file():
            raise SDGError(f"{folder} has no {name}: give a folder like checkpoints/toyfaces")
    return [f"encoder.{key}='{folder / name}'" for key, name in files.items()]


def _prior(file: Path) -> list[str]:
    if not file.is_file():
        raise SDGError(f"there is no prior at {file}: give one like checkpoints/toyfaces/prior.safetensors")
    return [f"prior.checkpoint='{file}'"]
