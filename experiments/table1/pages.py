"""The HTML page: the table, a grid for each row, and every target with what each row drew for it."""

import html
from collections.abc import Sequence
from pathlib import Path

from experiments.baselines.contenders import PROMPTS, REFERENCES
from experiments.table1.claims import Verdict
from experiments.table1.measuring import Result
from experiments.table1.table import columns, text, verdicts
from experiments.table1.worlds import World
from sdg.files import write_whole
from sdg.metrics.folder import read_manifest

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c20; }
body { margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
table { border-collapse: collapse; font-size: .85rem; } td, th { padding: .3rem .6rem; text-align: right; }
td:first-child { text-align: left; } tr { border-bottom: 1px solid #ddd; } .paper, small { color: #888; }
img { width: 72px; height: 72px; border-radius: 5px; } img.grid { width: 100%; height: auto; }
.row { display: flex; flex-wrap: wrap; gap: 3px; align-items: center; } .row span { width: 16rem; }
summary { cursor: pointer; }
"""


def write(
    folder: Path, results: Sequence[Result], world: World, found: Sequence[Verdict], title: str
) -> Path:
    """Write ``index.html`` beside the folders of the rows; returns its path."""
    claims = "".join(f"<li>{_bold(line.removeprefix('- '))}</li>" for line in verdicts(found))
    body = [
        f"<h1>{html.escape(title)}</h1>",
        _table(results, world),
        f"<h2>What the paper says</h2><ul>{claims}</ul>",
        "<h2>Rows</h2>",
        *(_row(result) for result in results),
        "<h2>Prompts</h2>",
        *_targets([r for r in results if r.row.kind == PROMPTS], "prompt"),
        "<h2>References</h2>",
        *_targets([r for r in results if r.row.kind == REFERENCES], "reference"),
    ]
    page = folder / "index.html"
    write_whole(
        page,
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style>\n" + "\n".join(body) + "\n</html>\n",
    )
    return page


def _table(results: Sequence[Result], world: World) -> str:
    """The table, with the paper's numbers in grey below their rows."""
    shown = columns(world)
    lines = ["<tr><th></th>" + "".join(f"<th>{html.escape(c.title)}</th>" for c in shown) + "</tr>"]
    for row, folder, values, *_ in results:
        cells = "".join(f"<td>{text(column, values[column.key])}</td>" for column in shown)
        lines.append(
            f'<tr><td><a href="{folder.name}/index.html">{html.escape(row.title)}</a></td>{cells}</tr>'
        )
        if row.paper:
            known = [(f"{c.paper} {row.paper[c.key]:g}" if c.key in row.paper else "") for c in shown]
            cells = "".join(f"<td>{cell}</td>" for cell in known)
            lines.append(f'<tr class="paper"><td>the paper, by its own protocols</td>{cells}</tr>')
    return f"<table>{''.join(lines)}</table>"


def _row(result: Result) -> str:
    name, title = result.folder.name, html.escape(result.row.title)
    return (
        f'<details><summary>{title}: <a href="{name}/index.html">every sample</a></summary>'
        f"<p><code>{html.escape(result.command)}</code></p>"
        f'<img class="grid" src="{name}/grid.png" alt="{title}" loading="lazy"></details>'
    )


def _targets(results: Sequence[Result], key: str) -> list[str]:
    """For every target, what each row drew for it."""
    drawn: dict[str, dict[str, list[str]]] = {}
    views: dict[str, str] = {}
    for result in results:
        for record in read_manifest(result.folder):
            if (target := record[key]) is not None:
                own = drawn.setdefault(target, {}).setdefault(result.row.title, [])
                own.append(f"{result.folder.name}/{record['file']}")
                if "reference_file" in record:
                    views.setdefault(target, f"{result.folder.name}/{record['reference_file']}")
    sections = []
    for target, rows in drawn.items():
        view = f'<img src="{views[target]}" alt="the reference" loading="lazy"> ' if target in views else ""
        label = Path(target).stem if key == "reference" else target
        lines = [
            f'<div class="row"><span>{html.escape(title)}</span>'
            + "".join(f'<img src="{file}" alt="" loading="lazy">' for file in files)
            + "</div>"
            for title, files in rows.items()
        ]
        sections.append(f"<details><summary>{view}{html.escape(label)}</summary>{''.join(lines)}</details>")
    return sections


def _bold(line: str) -> str:
    """A line of Markdown whose only markup is one bold word."""
    before, word, after = html.escape(line).split("**")
    return f"{before}<b>{word}</b>{after}"
