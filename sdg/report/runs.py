"""The results of many evaluations in one table: a row per ``metrics.json``, a column per measure."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from sdg.errors import SDGError
from sdg.files import printable
from sdg.report.settings import differing, read_contents, read_settings, short


class Run(NamedTuple):
    """One ``metrics.json``."""

    name: str
    """Its folder, relative to the one that was searched."""
    measures: dict[str, dict]
    protocols: dict[str, str]
    settings: dict[str, str]
    """From the ``config.yaml`` beside it, by dotted name; empty for a folder without that file."""
    contents: tuple[str, ...] = ()
    """From there, too: the hash and name of every file that the samples depend on."""
    folder: Path | None = None
    """Where it is; None for a mean of runs."""

    def protocol(self, measure: str) -> str:
        """How a measure was taken."""
        return self.protocols.get(measure.partition("/")[0], "unknown")


class Column(NamedTuple):
    """A measure under one protocol; numbers from different protocols never share a column."""

    measure: str
    protocol: str
    title: str

    def cell(self, run: Run) -> dict | None:
        """A run's entry in this column, if any: value, count, and the interval if there is one."""
        if run.protocol(self.measure) != self.protocol:
            return None
        return run.measures.get(self.measure)


def find_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Every ``metrics.json`` in the folders, at any depth, sorted by path within each.

    Raises:
        SDGError: there is none, or one cannot be read.
    """
    runs = []
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("metrics.json")):
            within, top = path.parent.relative_to(folder), Path(folder.resolve().name)
            name = top / within if within == Path() or len(folders) > 1 else within
            runs.append(_read(path, printable(name.as_posix())))
    if not runs:
        raise SDGError(
            f"no metrics.json below {', '.join(map(str, folders))}: run evaluate.py on samples first"
        )
    return runs


def list_columns(runs: Sequence[Run], patterns: Sequence[str] = ()) -> list[Column]:
    """The columns that the runs need, in the order in which measures appear.

    Args:
        patterns: only measures that match one of these, such as ``alignment/*``; all by default.

    Raises:
        SDGError: no measure matches.
    """
    protocols: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for measure in run.measures:
            if not patterns or any(fnmatchcase(measure, pattern) for pattern in patterns):
                known = protocols[measure]
                known += [run.protocol(measure)] if run.protocol(measure) not in known else []
    if not protocols:
        raise SDGError(f"no measure is like {' or '.join(patterns)}: leave --measures out to see all")
    return [
        Column(measure, protocol, measure if len(known) == 1 else f"{measure} [{number}]")
        for measure, known in protocols.items()
        for number, protocol in enumerate(known, start=1)
    ]


def as_markdown(runs: Sequence[Run], columns: Sequence[Column]) -> str:
    """The settings that differ, values with their 95 % intervals, and every protocol below the table."""
    varied = differing([run.settings for run in runs])
    titles = ["run", *varied, *(column.title for column in columns)]
    lines = [_row(titles), "|---" * len(titles) + "|"]
    for run in runs:
        cells = [run.name, *(short(run.settings.get(name, "")) for name in varied)]
        lines.append(_row([*cells, *(words(column.cell(run)) for column in columns)]))
    notes: dict[str, str] = {}
    for column in columns:
        number = column.title.removeprefix(column.measure)
        notes.setdefault(column.measure.partition("/")[0] + number, column.protocol)
    return "\n".join([*lines, "", *(f"- **{name}**: {protocol}" for name, protocol in notes.items()), ""])


def as_csv(runs: Sequence[Run], columns: Sequence[Column]) -> str:
    """The settings that differ; for each column the value, the ends of its interval, and the count."""
    varied = differing([run.settings for run in runs])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["run", *varied, *(column.title + part for column in columns for part in ("", " low", " high", " n"))]
    )
    for run in runs:
        row: list[object] = [run.name, *(run.settings.get(name, "") for name in varied)]
        for column in columns:
            cell = column.cell(run)
            low, high = (cell or {}).get("interval", ("", ""))
            row += ["", "", "", ""] if cell is None else [cell["value"], low, high, cell["count"]]
        writer.writerow(row)
    return out.getvalue()


def words(cell: dict | None) -> str:
    """A value and its interval, in readable form."""
    if cell is None:
        return "–"
    interval = " … ".join(f"{end:.3g}" for end in cell.get("interval", ()))
    return f"{cell['value']:.3g}" + (f" ({interval})" if interval else "")


def _row(cells: Sequence[str]) -> str:
    """A line of a Markdown table; a bar inside a cell would begin another."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _read(path: Path, name: str) -> Run:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        settings = read_settings(path.with_name("config.yaml"))
        contents = read_contents(path.with_name("config.yaml"))
        run = Run(name, dict(report["measures"]), dict(report["protocols"]), settings, contents, path.parent)
        if all(cell.keys() >= {"value", "count"} for cell in run.measures.values()):
            return run
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SDGError(
            f"{path} is not what evaluate.py writes: repeat its command, or move it away"
        ) from error
    raise SDGError(f"{path} is not what evaluate.py writes: repeat its command, or move it away")
