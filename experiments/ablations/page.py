"""The page of an ablation: a curve for each alternative, over the same values of one setting."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from experiments import plotting
from experiments.baselines.page import cell, seconds
from experiments.pages import head, protocols, table
from experiments.plotting import FAINT, INK, canvas, plain_axes
from experiments.results import save_page
from sdg.metrics.measure import Measure

TIME = "CPU seconds per image"
Values = Mapping[str, Measure | None]
"""Measure by name; None: does not apply."""


class Point(NamedTuple):
    """One run."""

    settings: str
    """For ``sample.py``, without the targets."""
    values: Values
    seconds: float | None
    """CPU seconds per image, if the run was timed."""


class Curves(NamedTuple):
    """A measured ablation."""

    name: str
    title: str
    axis: str
    """What varies along a line."""
    lines: dict[str, dict[float, Point]]
    panels: dict[str, str]
    """Measures in the figure, and their titles; the table has all."""
    unguided: Values
    what: str
    """What was drawn, in a sentence."""
    protocols: dict[str, str]
    over: str
    """What the intervals are over."""


def save(options: argparse.Namespace, curves: Curves) -> Path:
    """Write ``<name>.md``, ``.png`` and ``.svg`` into the report's folder; returns the page."""
    draw_curves(curves, options.report)
    return save_page(options.report / f"{curves.name}.md", lines(options, curves), __package__)


def lines(options: argparse.Namespace, curves: Curves) -> list[str]:
    """Figure, table, what was measured, and the settings of every point."""
    points = [(label, x, point) for label, line in curves.lines.items() for x, point in line.items()]
    names = list(points[0][2].values)
    rows = [
        [label, f"{x:g}", *_cells(names, point.values), seconds(point.seconds)] for label, x, point in points
    ]
    rows += [["unguided", "", *_cells(names, curves.unguided), ""]] if curves.unguided else []
    return [
        *head(curves.title, options.command, curves.what),
        f"![The curves]({curves.name}.png)",
        "",
        *table(["", curves.axis, *names, TIME], rows),
        *protocols(curves.protocols, curves.over),
        "## Settings",
        "",
        *(f"- {label}, {x:g}: `{point.settings}`" for label, x, point in points),
        "",
    ]


def draw_curves(curves: Curves, folder: Path) -> None:
    """``<name>.png`` and ``.svg``: a panel for each measure."""
    columns = 3 if len(curves.panels) == 3 else 2
    rows = -(-len(curves.panels) // columns)
    with canvas(folder, curves.name, 5 + 2 * columns, 2.9 * rows + 0.5, dpi=140) as figure:
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for axes, (name, title) in zip(grid.flat, curves.panels.items(), strict=True):
            plain_axes(axes, title)
            if (base := curves.unguided.get(name)) is not None:
                axes.axhline(base.value, color=FAINT, linewidth=1, linestyle="--", label="unguided")
            plotting.curves(
                axes,
                {label: [(x, p.values[name]) for x, p in own.items()] for label, own in curves.lines.items()},
            )
        for axes in grid[-1]:
            axes.set_xlabel(curves.axis, color=INK)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)


def _cells(names: Iterable[str], values: Values) -> list[str]:
    return [cell(name, values.get(name)) for name in names]
