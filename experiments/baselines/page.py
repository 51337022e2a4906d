"""Parts shared by the pages of the experiment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from experiments import pages
from experiments.results import save_page
from sdg.metrics.measure import Measure

PROTOCOLS = {
    "mentioned right, all right": "attribute values that the prompt mentions, as the judge reads them",
    "attributes kept": "share of the reference's eight true attributes that the judge reads off the sample",
    "distance in pose": "mean difference to the reference in x, y, scale and tilt as the judge reads "
    "them, of ranges scaled to 2",
    "diversity": "squared distance of the judge's features, of length 1, mean over the pairs of samples of "
    "one target, mean over targets",
}

DIGITS = {
    "diversity": 3,
    "palette distance": 3,
    "texture distance": 3,
    "pixels": 1,
    "pixels through φ": 1,
    "… unguided": 1,
}


def cell(name: str, measure: Measure | None) -> str:
    """The value of a named measure with its interval, if it has one."""
    return pages.cell(measure, f".{DIGITS.get(name, 2)}f")


def seconds(value: float | None) -> str:
    """A time, if one was recorded."""
    return "–" if value is None else f"{value:.2f}"


def protocols(names: Sequence[str], more: dict[str, str]) -> list[str]:
    """What the numbers mean."""
    return pages.protocols({name: PROTOCOLS[name] for name in names} | more, "targets")


def save(
    options: argparse.Namespace, name: str, lines: Sequence[str], figure: Image.Image | None = None
) -> Path:
    """Write ``name.md``, and ``name.png`` with a palette, a third of the file size."""
    options.report.mkdir(parents=True, exist_ok=True)
    if figure is not None:
        small = figure.quantize(192, dither=Image.Dither.NONE)
        small.save(options.report / f"{name}.png", optimize=True)
    return save_page(options.report / f"{name}.md", lines, __package__)
