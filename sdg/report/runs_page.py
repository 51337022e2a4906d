"""Many runs on one page: a table sorted by a click on a column, and charts of measure against measure."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from sdg.pages import template
from sdg.report.runs import Column, Run, words
from sdg.report.scatter import scatter
from sdg.report.settings import differing, short


def as_page(
    runs: Sequence[Run],
    columns: Sequence[Column],
    pairs: Sequence[tuple[Column, Column]],
    folder: Path | None = None,
) -> str:
    """The page as HTML; missing values come last, however the table is sorted.

    Args:
        pairs: measures to plot against each other: (x, y).
        folder: where the page will be, for its links to the runs' own pages; None: without links.
    """
    varied = differing([run.settings for run in runs])
    names = [run.name for run in runs]
    table = [_Column("run", names, names)]
    for name in varied:
        values = [run.settings.get(name, "") for run in runs]
        table.append(_Column(name, values, [short(value) for value in values]))
    for column in columns:
        cells = [column.cell(run) for run in runs]
        values = ["" if cell is None else str(cell["value"]) for cell in cells]
        table.append(_Column(column.title, values, [words(cell) for cell in cells]))
    rows = [
        {"name": run.name, "cells": cells, **_links(run, folder)}
        for run, cells in zip(runs, zip(*map(_cells, table), strict=True), strict=True)
    ]
    return template("sdg.report", "runs.html").render(
        title=f"{len(runs)} rows",
        heads=[column.title for column in table],
        runs=rows,
        columns=columns,
        charts=[chart for x, y in pairs if (chart := scatter(runs, x, y))],
    )


def _links(run: Run, folder: Path | None) -> dict[str, str | None]:
    """The run's page and a picture of it, seen from ``folder``."""
    links: dict[str, str | None] = {"page": None, "picture": None}
    if folder is None:
        return links
    for place in [Path(place) for place in (run.folder, run.settings.get("samples")) if place is not None]:
        for key, file in (("page", place / "index.html"), ("picture", place / "grid.png")):
            if links[key] is None and file.is_file():
                links[key] = quote(Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix())
    return links


class _Column(NamedTuple):
    """A column of the table, run by run."""

    title: str
    values: list[str]
    """What it is sorted by; empty where there is none."""
    shown: list[str]


def _cells(column: _Column) -> list[dict[str, Any]]:
    places = sort_places(column.values)
    return [{"place": place, "text": text} for place, text in zip(places, column.shown, strict=True)]


def sort_places(values: Sequence[str]) -> list[int]:
    """The place of each value among all, from 1, equal ones sharing theirs; 0 for a missing one.

    Numbers are in order of size, if all are numbers; anything else is in the order of the alphabet.
    """
    known = sorted({value for value in values if value})
    try:
        order = sorted(known, key=float)
    except ValueError:
        order = sorted(known, key=str.casefold)
    return [order.index(value) + 1 if value else 0 for value in values]
