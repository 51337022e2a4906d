"""The pages of a sampling run: every guided picture beside the unguided one from the same noise."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

from sdg.files import printable, whole_file
from sdg.pages import template
from sdg.report.charts import step_charts, write_library
from sdg.report.grid import draw_grid, open_picture
from sdg.report.record import aimed, label
from sdg.report.traces import read_trace

_GRID_ROWS, _GRID_COLUMNS = 24, 8
_SHOWN = 240
"""Pictures on a page: a browser opens as many at once."""
_TOLD = 24
"""Samples per row whose steps are shown: of more, curves blur."""
_Before = dict[tuple[int, int], str]
"""The files of the unguided samples, by their noise."""


class _Page(NamedTuple):
    """One of the pages of a run."""

    number: int
    """From 1."""
    records: list[dict]
    continued: bool
    """Whether its first row has begun on the page before."""


def write_page(
    folder: Path,
    records: Iterable[dict],
    title: str,
    command: str | None = None,
    edited: Sequence[str] = (),
) -> Path:
    """Write ``index.html`` and ``grid.png`` for the records of a manifest; returns the page's path.

    The grid shows at most 24 rows and 8 seeds. A page shows 240 pictures, ``index-2.html`` the next 240.

    Args:
        records: row by row, as in a plan. They are gone through twice; only those of the page being written,
            of the first one, and of the grid are held in memory.
        command: what was typed to draw them.
        edited: files in ``folder``: the picture that every sample begins from, and its mask.
    """
    before, guided, alone = _first_look(records)
    shown = (record for record in records if aimed(record) or not guided)
    pairs = before if guided else {}
    count = guided or alone
    files = [_file(number) for number in range(1, max(1, -(-count // _SHOWN)) + 1)]
    values = {"title": printable(title), "command": command, "edited": edited, "pages": files}
    grid: dict[tuple, list[dict]] = {}
    charted = False

    def parts(page: _Page) -> Iterator[bytes]:
        nonlocal charted
        rows = list(_rows(folder, page, pairs))
        charted = charted or any(row["charts"] for row in rows)
        for part in template("sdg.report", "run.html").generate(**values, rows=rows, number=page.number):
            yield part.encode()

    pages = _pages(_noted(shown, grid))
    first = next(pages)
    for page in pages:
        with whole_file(folder / _file(page.number)) as file:
            file.writelines(parts(page))
    with whole_file(folder / files[0]) as file:
        file.writelines(parts(first))
        # The page is there when all that it shows is: its name says that the run is complete.
        if charted:
            write_library(folder)
        _write_grid(folder, list(grid.values()), pairs)
    return folder / files[0]


def _file(number: int) -> str:
    return "index.html" if number == 1 else f"index-{number}.html"


def _first_look(records: Iterable[dict]) -> tuple[_Before, int, int]:
    """The unguided samples' files, and the numbers of guided and of unguided samples."""
    before: _Before = {}
    guided = alone = 0
    for record in records:
        if aimed(record):
            guided += 1
        else:
            alone += 1
            before[record["seed"], record["index"]] = record["file"]
    return before, guided, alone


def _target(record: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What the samples of a row have in common."""
    return record["prompt"], record["reference"]


def _noted(records: Iterable[dict], grid: dict[tuple, list[dict]]) -> Iterator[dict]:
    """The records; those that the grid shows are kept in ``grid``, row by row."""
    for record in records:
        if len(grid) < _GRID_ROWS or _target(record) in grid:
            row = grid.setdefault(_target(record), [])
            row += [record] if len(row) < _GRID_COLUMNS else []
        yield record


def _pages(records: Iterator[dict]) -> Iterator[_Page]:
    """At least one page, which may be empty."""
    number, last = 1, None
    while (some := list(islice(records, _SHOWN))) or number == 1:
        yield _Page(number, some, bool(some) and last == _target(some[0]))
        number, last = number + 1, _target(some[-1]) if some else None


def _rows(folder: Path, page: _Page, before: _Before) -> Iterator[dict]:
    """What a page shows of each row; how its samples came about is on the page on which it begins."""
    for number, (_, group) in enumerate(groupby(page.records, _target)):
        records = list(group)
        continued = page.continued and number == 0
        told = [] if continued else records[:_TOLD]
        yield {
            "label": label(records[0]),
            "continued": continued,
            "view": records[0].get("reference_file"),
            "pictures": [_picture(record, before) for record in records],
            "strips": [record["strip"] for record in told if "strip" in record],
            "charts": step_charts([record | {"trace": read_trace(folder, record)} for record in told]),
        }


def _picture(record: dict, before: _Before) -> dict[str, Any]:
    pair = before.get((record["seed"], record["index"]))
    scores = "".join(f" · {name} {score:.3g}" for name, score in record["scores"].items())
    caption = f"seed {record['seed']}.{record['index']}{scores}"
    return {"file": record["file"], "before": pair, "caption": caption}


def _write_grid(folder: Path, rows: Sequence[list[dict]], before: _Before) -> None:
    shown: list[tuple[str, list]] = []
    for records in rows:
        files = []
        for record in records:
            pair = before.get((record["seed"], record["index"]))
            files += [pair, record["file"]] if pair else [record["file"]]
        view = records[0].get("reference_file")
        first = [open_picture(folder / view)] if view else []
        shown.append((label(records[0]), first + [open_picture(folder / file) for file in files]))
    width = min((len(pictures) for _, pictures in shown), default=0)
    if not width:
        return
    alone = "guided" if aimed(rows[0][0]) else "unguided"
    names = ["unguided", "guided"] if before else [alone]
    lead = ["reference"] if rows[0][0].get("reference_file") else []
    columns = lead + [names[i % len(names)] for i in range(width - len(lead))]
    cut = [(label, pictures[:width]) for label, pictures in shown]
    grid = draw_grid(cut, columns, group=len(names), lead=len(lead))
    with whole_file(folder / "grid.png") as file:
        grid.save(file, format="png")
