"""Many runs on one page: a table sorted by a click on a column, and plots of measure against measure."""

import html
from collections.abc import Sequence
from typing import NamedTuple

from sdg.report.runs import Column, Run, words
from sdg.report.scatter import draw_scatter
from sdg.report.settings import differing, short

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c20; margin: 2rem; }
table { border-collapse: collapse; font-size: .85rem; } td, th { padding: .3rem .6rem; text-align: right; }
td:first-child { text-align: left; } tr { border-bottom: 1px solid #ddd; } th { cursor: pointer; }
figure { display: inline-block; margin: 1rem 1rem 1rem 0; } figcaption, li { font-size: .85rem; color: #666; }
@media (prefers-color-scheme: dark) { body { background: #17171a; color: #eee; } }
"""
_SCRIPT = """
for (const head of document.querySelectorAll("th")) head.onclick = () => {
  const body = document.querySelector("tbody"), column = head.cellIndex;
  const turn = head.dataset.turn = head.dataset.turn === "1" ? "-1" : "1";
  const place = row => Number(row.cells[column].dataset.place);
  const order = (a, b) => !a - !b || turn * (a - b);
  body.append(...[...body.rows].sort((a, b) => order(place(a), place(b))));
};
"""


def as_page(runs: Sequence[Run], columns: Sequence[Column], pairs: Sequence[tuple[Column, Column]]) -> str:
    """The page as HTML; missing values come last, however the table is sorted.

    Args:
        pairs: measures to plot against each other: (x, y).
    """
    varied = differing([run.settings for run in runs])
    table = [_Column("run", [run.name for run in runs], [run.name for run in runs])]
    for name in varied:
        values = [run.settings.get(name, "") for run in runs]
        table.append(_Column(name, values, [short(value) for value in values]))
    for column in columns:
        cells = [column.cell(run) for run in runs]
        values = ["" if cell is None else str(cell["value"]) for cell in cells]
        table.append(_Column(column.title, values, [words(cell) for cell in cells]))
    head = "".join(f"<th>{html.escape(column.title)}</th>" for column in table)
    rows = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in zip(*map(_cells, table), strict=True))
    plots = "\n".join(draw_scatter(runs, x, y) for x, y in pairs)
    notes = "".join(
        f"<li><b>{html.escape(column.title)}</b>: {html.escape(column.protocol)}</li>" for column in columns
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Runs</title>'
        f"<style>{_STYLE}</style>\n<h1>{len(runs)} rows</h1>\n{plots}\n"
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>\n"
        f"<h2>Protocols</h2><ul>{notes}</ul>\n<script>{_SCRIPT}</script>\n</html>\n"
    )


class _Column(NamedTuple):
    """A column of the table, run by run."""

    title: str
    values: list[str]
    """What it is sorted by; empty where there is none."""
    shown: list[str]


def _cells(column: _Column) -> list[str]:
    places = sort_places(column.values)
    return [
        f'<td data-place="{place}">{html.escape(text)}</td>'
        for place, text in zip(places, column.shown, strict=True)
    ]


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
