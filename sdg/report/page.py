"""The page of a sampling run: every guided picture beside the unguided one from the same noise."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

from sdg.files import printable, whole_file
from sdg.pages import template
from sdg.report.charts import step_charts, write_library
from sdg.report.grid import draw_grid, open_picture
from sdg.report.record import aimed, label

_GRID_ROWS, _GRID_COLUMNS = 24, 8
_TOLD = 24
"""Samples per row whose steps are shown: with thousands, curves blur and the page is too big for browsers."""


class _Row(NamedTuple):
    """What the guided samples of a row have in common, and the records of the first ones."""

    prompt: str | None
    reference: str | None
    records: list[dict]

    @property
    def label(self) -> str:
        return label(self.records[0])

    @property
    def view(self) -> str | None:
        """The copy of the reference, in the run's folder."""
        return self.records[0].get("reference_file")


def write_page(
    folder: Path,
    records: Iterable[dict],
    title: str,
    command: str | None = None,
    edited: Sequence[str] = (),
) -> Path:
    """Write ``index.html`` and ``grid.png`` for the records of a manifest; returns the page's path.

    The grid shows at most 24 rows and 8 seeds; the page shows all.

    Args:
        records: unguided samples first, then row by row, as in a plan. They may come one at a time: only the
            traces of the row being written and of the rows in the grid are held in memory.
        command: what was typed to draw them.
        edited: files in ``folder``: the picture that every sample begins from, and its mask.
    """
    before: dict[tuple[int, int], dict] = {}
    first: list[_Row] = []
    """For the grid."""
    charted = False

    def rows() -> Iterator[dict]:
        yield from _rows(_led(records, before), before, first)
        if not first:
            alone = [*before.values()]
            before.clear()
            yield from _rows(alone, before, first)

    def noted(rows: Iterable[dict]) -> Iterator[dict]:
        nonlocal charted
        for row in rows:
            charted = charted or bool(row["told"]["charts"])
            yield row

    page = folder / "index.html"
    values = {"title": printable(title), "command": command, "edited": edited, "rows": noted(rows())}
    with whole_file(page) as file:
        for part in template("sdg.report", "run.html").generate(values):
            file.write(part.encode())
        # The page is there when all that it shows is: its name says that the run is complete.
        if charted:
            write_library(folder)
        _write_grid(folder, first, before)
    return page


def _led(records: Iterable[dict], before: dict[tuple[int, int], dict]) -> Iterator[dict]:
    """The guided samples of ``records``; the others go into ``before``, without their traces."""
    for record in records:
        if aimed(record):
            yield record
        else:
            untraced = {name: value for name, value in record.items() if name != "trace"}
            before[record["seed"], record["index"]] = untraced


def _rows(records: Iterable[dict], before: dict, first: list[_Row]) -> Iterator[dict]:
    """What the page shows of each row, its pictures one at a time; fills ``first`` with the first rows."""
    for key, group in groupby(records, lambda record: (record["prompt"], record["reference"])):
        row = _Row(*key, list(islice(group, _TOLD)))
        if len(first) < _GRID_ROWS:
            first.append(row)
        pictures = (_picture(record, before) for record in chain(row.records, group))
        strips = [record["strip"] for record in row.records if "strip" in record]
        told = {"strips": strips, "charts": step_charts(row.records)}
        yield {"label": row.label, "view": row.view, "pictures": pictures, "told": told}


def _picture(record: dict, before: dict) -> dict[str, Any]:
    pair = before.get((record["seed"], record["index"]))
    scores = "".join(f" · {name} {score:.3g}" for name, score in record["scores"].items())
    caption = f"seed {record['seed']}.{record['index']}{scores}"
    return {"file": record["file"], "before": pair and pair["file"], "caption": caption}


def _write_grid(folder: Path, rows: Sequence[_Row], before: dict) -> None:
    shown: list[tuple[str, list]] = []
    for row in rows:
        files = []
        for record in row.records[:_GRID_COLUMNS]:
            pair = before.get((record["seed"], record["index"]))
            files += [pair["file"], record["file"]] if pair else [record["file"]]
        first = [open_picture(folder / row.view)] if row.view else []
        shown.append((row.label, first + [open_picture(folder / file) for file in files]))
    width = min((len(pictures) for _, pictures in shown), default=0)
    if not width:
        return
    alone = "unguided" if rows[0].label == "unguided" else "guided"
    names = ["unguided", "guided"] if before else [alone]
    lead = ["reference"] if rows[0].view else []
    columns = lead + [names[i % len(names)] for i in range(width - len(lead))]
    cut = [(label, pictures[:width]) for label, pictures in shown]
    grid = draw_grid(cut, columns, group=len(names), lead=len(lead))
    with whole_file(folder / "grid.png") as file:
        grid.save(file, format="png")
