"""What is compared: ways of guiding, with one set of networks or another."""

import argparse
from pathlib import Path

from experiments.grid import Way
from sdg.composition import CONF
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
    "suited": ["guidance=text"],
}
"""Name -> settings of ``sample.py``."""


def ways(options: argparse.Namespace) -> list[Way]:
    """Each chosen way with each encoder, first with the prior that ships, then so with each other prior.

    Raises:
        SDGError: a folder without the networks of an encoder, or no such prior.
    """
    sampler = f"sampler={options.sampler}"
    encoders = [(f", {Path(name).name}", _encoder(name)) for name in options.encoders]
    priors = [("", []), *((f", {file.stem}", _prior(file)) for file in options.priors)]
    return [
        Way(f"{name}{encoder}{prior}", [sampler, *WAYS[name], *seeing, *drawing])
        for prior, drawing in priors
        for encoder, seeing in encoders
        for name in options.ways
    ]


def _encoder(name: str) -> list[str]:
    """Settings that choose an encoder of ``conf/encoder``, or CLIP, copy and card in a folder."""
    if (CONF / "encoder" / f"{name}.yaml").is_file():
        return [f"encoder={name}"]
    folder = Path(name)
    files = {
        "clip_checkpoint": "clip.safetensors",
        "checkpoint": "time_clip.safetensors",
        "card": "time_clip.json",
    }
    for file in files.values():
        if not (folder / file).is_file():
            raise SDGError(f"{folder} has no {file}: give encoders of conf/encoder, or such folders")
    return [f"encoder.{key}='{folder / file}'" for key, file in files.items()]


def _prior(file: Path) -> list[str]:
    if not file.is_file():
        raise SDGError(f"there is no prior at {file}: give one like checkpoints/toyfaces/prior.safetensors")
    return [f"prior.checkpoint='{file}'"]
