"""Parts shared by the pages of the experiment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

import sdg
from experiments.results import save_page
from experiments.running import invocation, machine
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


def head(title: str, options: argparse.Namespace, what: str, experiment: str = "baselines") -> list[str]:
    """Title, command, machine, and what was drawn."""
    command = invocation(experiment, options.arguments)
    versions = f"sdg {sdg.__version__} and torch {torch.__version__}"
    return [f"# {title}", "", f"`{command}`, on {machine()}, with {versions}. {what}", ""]


def cell(name: str, measure: Measure | None) -> str:
    """The value of a named measure with its interval, if it has one."""
    if measure is None:
        return "–"
    digits = DIGITS.get(name, 2)
    low, high = measure.interval or (0.0, 0.0)
    interval = f" ({low:.{digits}f} … {high:.{digits}f})" if high > low else ""
    return f"{measure.value:.{digits}f}{interval}"


def seconds(value: float | None) -> str:
    """A time, if one was recorded."""
    return "–" if value is None else f"{value:.2f}"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def rule(columns: int) -> str:
    """The line below the header row of a table."""
    return "|---" * columns + "|"


def protocols(names: Sequence[str], more: dict[str, str], over: str = "targets") -> list[str]:
    """What the numbers mean, and what their intervals are over."""
    told = {name: PROTOCOLS[name] for name in names} | more
    lines = [f"- **{name}**: {text}." for name, text in told.items()]
    return ["## Protocols", "", *lines, f"- Intervals: 95 %, over {over}.", ""]


def save(
    options: argparse.Namespace, name: str, lines: Sequence[str], figure: Image.Image | None = None
) -> Path:
    """Write ``name.md``, and ``name.png`` with a palette, a third of the file size."""
    options.report.mkdir(parents=True, exist_ok=True)
    if figure is not None:
        small = figure.quantize(192, dither=Image.Dither.NONE)
        small.save(options.report / f"{name}.png", optimize=True)
    page = options.report / f"{name}.md"
    save_page(page, lines, __package__)
    return page
