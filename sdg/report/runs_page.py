"""Many runs on one page: a table sorted by a click on a column, and plots of measure against measure."""

import html
from collections.abc import Sequence

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
  const key = row => row.cells[column].dataset.value;
  const order = (a, b) => !a || !b ? !a - !b
    : turn * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
  body.append(...[...body.rows].sort((a, b) => order(key(a), key(b))));
};
"""


def as_page(runs: Sequence[Run], columns: Sequence[Column], pairs: Sequence[tuple[Column, Column]]) -> str:
    """The page as HTML; missing values come last, however the table is sorted.

    Args:
        pairs: measures to plot against each other: (x, y).
    """
    varied = differing([run.settings for run in runs])
    titles = ["run", *varied, *(column.title for column in columns)]
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    rows = "\n".join(f"<tr>{''.join(_cells(run, varied, columns))}</tr>" for run in runs)
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


def _cells(run: Run, varied: Sequence[str], columns: Sequence[Column]) -> list[str]:
    shown = [(text, short(text)) for text in (run.settings.get(name, "") for name in varied)]
    shown.insert(0, (run.name, run.name))
    found = [column.cell(run) for column in columns]
    shown += [("" if cell is None else str(cell["value"]), words(cell)) for cell in found]
    return [f'<td data-value="{html.escape(key)}">{html.escape(text)}</td>' for key, text in shown]
