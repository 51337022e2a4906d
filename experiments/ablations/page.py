"""The page of an ablation."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from experiments.ablations.curves import Curves, Values
from experiments.ablations.figure import draw_curves
from experiments.baselines import page
from experiments.results import save_page

TIME = "CPU seconds per image"


def save(options: argparse.Namespace, curves: Curves) -> Path:
    """Write ``<name>.md``, ``.png`` and ``.svg`` into the report's folder; returns the page."""
    options.report.mkdir(parents=True, exist_ok=True)
    draw_curves(curves, options.report)
    path: Path = options.report / f"{curves.name}.md"
    save_page(path, lines(options, curves), __package__)
    return path


def lines(options: argparse.Namespace, curves: Curves) -> list[str]:
    """The page: figure, table, what was measured, and the settings of every point."""
    points = [(label, x, point) for label, line in curves.lines.items() for x, point in line.items()]
    names = list(points[0][2].values)
    heads = ["", curves.axis, *names, TIME]
    table = [page.row(*heads), page.rule(len(heads))]
    for label, x, point in points:
        table.append(page.row(label, f"{x:g}", *cells(names, point.values), page.seconds(point.seconds)))
    if curves.unguided:
        table.append(page.row("unguided", "", *cells(names, curves.unguided), ""))
    settings = [f"- {label}, {x:g}: `{point.settings}`" for label, x, point in points]
    return [
        *page.head(curves.title, options, curves.what, "ablations"),
        f"![The curves]({curves.name}.png)",
        "",
        *table,
        "",
        *page.protocols([], curves.protocols, curves.over),
        "## Settings",
        "",
        *settings,
        "",
    ]


def cells(names: Iterable[str], values: Values) -> list[str]:
    """A cell for each measure."""
    return [page.cell(name, values.get(name)) for name in names]
