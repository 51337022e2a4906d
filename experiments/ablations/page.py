"""The page of an ablation: a curve for each alternative, over the same values of one setting."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from experiments import plotting
from experiments.grid import Columns, Point, Way
from experiments.pages import head, protocols, table
from experiments.plotting import FAINT, INK, canvas, plain_axes
from experiments.results import save_page

Points = Mapping[str, Mapping[float, Point[Way]]]
"""Alternative -> value of the setting -> what was measured."""


def write_page(
    options: argparse.Namespace,
    name: str,
    words: tuple[str, str],
    lines: Points,
    columns: Columns,
    panels: Mapping[str, str],
) -> Path:
    """Write ``<name>.md``, ``.png`` and ``.svg`` into the report's folder; returns the page.

    Args:
        words: a title, and what varies along a line.
        panels: measures in the figure, and their titles.
    """
    title, axis = words
    draw_curves(options.report, name, axis, lines, panels)
    points = [(label, x, point) for label, line in lines.items() for x, point in line.items()]
    rows = [[label, f"{x:g}", *point.cells(columns, beside=True)] for label, x, point in points]
    page = [
        *head(title, options.command, f"{points[0][2].size}, with the same noises."),
        f"![The curves]({name}.png)",
        "",
        *table(["", axis, *(title for title, _ in columns.values())], rows),
        *protocols(points[0][2].report["protocols"]),
        "## Settings",
        "",
        *(f"- {label}, {x:g}: `{' '.join(point.way.settings)}`" for label, x, point in points),
    ]
    return save_page(options.report / f"{name}.md", page, __package__)


def draw_curves(folder: Path, name: str, axis: str, lines: Points, panels: Mapping[str, str]) -> None:
    """``<name>.png`` and ``.svg``: a panel for each measure."""
    columns = 3 if len(panels) == 3 else 2
    rows = -(-len(panels) // columns)
    with canvas(folder, name, 5 + 2 * columns, 2.9 * rows + 0.5, dpi=140) as figure:
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for axes, (measure, title) in zip(grid.flat, panels.items(), strict=True):
            plain_axes(axes, title)
            found = {
                label: [(x, point.measures.get(measure)) for x, point in line.items()]
                for label, line in lines.items()
            }
            known = (each for line in found.values() for _, each in line if each is not None)
            if (beside := next(known).beside) is not None and beside[0] == "unguided":
                axes.axhline(beside[1], color=FAINT, linewidth=1, linestyle="--", label="unguided")
            plotting.curves(axes, found)
        for axes in grid[-1]:
            axes.set_xlabel(axis, color=INK)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
