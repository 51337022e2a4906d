"""The methods that are compared: how ``sample.py`` is told to run each, and by whom it is guided."""

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
    """What it can aim at -> its settings of ``sample.py``."""
    guide: str | None
    """The extractor (conf/features) that sees what it climbs on; None: it has no guide."""
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
        {PROMPTS: ["guidance=text"], REFERENCES: ["guidance=content"]},
        "guide",
        "guidance.scale",
        (PRIOR, CLIP, "encoder.checkpoint"),
    ),
    "clip_x0": Contender(
        {
            PROMPTS: ["method=clip_x0", "guidance=text"],
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
"""Those whose configured settings are not of this prior and this generator."""


def at_hand(names: Sequence[str], settings: Sequence[str]) -> list[str]:
    """Those whose weights are there; of each other one a line is printed.

    Raises:
        SDGError: none is left.
    """
    config = configuration("sample", settings)

    def check(name: str) -> None:
        for key in CONTENDERS[name].weights:
            find_file(OmegaConf.select(config, key), key)

    return usable(names, check, "no method has its weights: train them, or give their paths with --sample")


def tuned(name: str, options: argparse.Namespace) -> Settings:
    """Settings other than the configured ones: what the sweep found, then what ``--scales`` says."""
    found = read_settings(options.settings).get(name, {})
    knob = CONTENDERS[name].knob
    return found | ({knob: options.scales[name]} if knob and name in options.scales else {})


def words(settings: Settings) -> list[str]:
    """Settings as the command line takes them."""
    return [f"{key}={brief(value)}" for key, value in settings.items()]


def brief(value: float | str) -> str:
    """A value as short as can be."""
    return value if isinstance(value, str) else f"{value:g}"


def read_settings(path: Path) -> dict[str, Settings]:
    """What a sweep wrote: method (or method_steps) -> setting -> value; nothing where there is no such file.

    Raises:
        SDGError: the file is not a sweep's.
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
