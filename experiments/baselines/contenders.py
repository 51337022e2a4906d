"""The methods that are compared: the ``sample.py`` settings of each, and what guides it."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import OmegaConf

from experiments.running import configuration, usable
from sdg.checkpoints.places import find_file
from sdg.errors import SDGError

PROMPTS, REFERENCES = "prompts", "references"
PRIOR, CLIP = "prior.checkpoint", "encoder.clip_checkpoint"
STEPS = "method.search.steps"
Settings = dict[str, float | str]
"""Setting of ``sample.py`` -> its value."""


class Contender(NamedTuple):
    """A method."""

    settings: dict[str, list[str]]
    """Kind of target it can aim at -> its settings of ``sample.py``."""
    guide: str | None
    """The extractor (conf/features) with the encoder that guides it; None: it has no guide."""
    knob: str | None
    """The setting that ``--scales`` changes."""
    weights: tuple[str, ...]
    """Settings that name the files it needs."""


CONTENDERS = {
    "unguided": Contender(
        {PROMPTS: ["method=unguided"], REFERENCES: ["method=unguided"]}, None, None, (PRIOR,)
    ),
    "ilvr": Contender({REFERENCES: ["method=ilvr"]}, None, "constraint.factor", (PRIOR,)),
    "sdg": Contender(
        {PROMPTS: ["guidance=text_paper"], REFERENCES: ["guidance=content"]},
        "guide",
        "guidance.scale",
        (PRIOR, CLIP, "encoder.checkpoint"),
    ),
    "clip_x0": Contender(
        {
            PROMPTS: ["method=clip_x0", "guidance=text_paper"],
            REFERENCES: ["method=clip_x0", "guidance=content"],
        },
        "clip_guide",
        "guidance.scale",
        (PRIOR, CLIP),
    ),
    "stylegan_clip": Contender(
        {PROMPTS: ["method=stylegan_clip"]}, "clip_guide", "method.search.lr", ("generator.checkpoint", CLIP)
    ),
}
SWEPT = ("clip_x0", "stylegan_clip")
"""Those whose configured settings were not chosen for this prior and generator."""


def at_hand(names: Sequence[str], settings: Sequence[str]) -> list[str]:
    """Those whose weights are there; prints a line about each of the others.

    Raises:
        SDGError: none is left.
    """
    config = configuration("sample", settings)

    def check(name: str) -> None:
        for key in CONTENDERS[name].weights:
            find_file(OmegaConf.select(config, key), key)

    return usable(names, check, "no method has its weights: train them, or give their paths with --sample")


def tuned(name: str, options: argparse.Namespace) -> Settings:
    """Settings that replace the configured ones: those the sweep found, then those of ``--scales``."""
    found = read_settings(options.settings).get(name, {})
    knob = CONTENDERS[name].knob
    return found | ({knob: options.scales[name]} if knob and name in options.scales else {})


def words(settings: Settings) -> list[str]:
    """Settings in command-line form."""
    return [f"{key}={brief(value)}" for key, value in settings.items()]


def brief(value: float | str) -> str:
    """A value in its shortest form."""
    return value if isinstance(value, str) else f"{value:g}"


def read_settings(path: Path) -> dict[str, Settings]:
    """What a sweep wrote: method (or method_steps) -> setting -> value; empty if there is no such file.

    Raises:
        SDGError: the file was not written by a sweep.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: {key: value if isinstance(value, str) else float(value) for key, value in own.items()}
            for name, own in found.items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise SDGError(f"{path} does not hold settings of methods: write it anew with sweep") from error
