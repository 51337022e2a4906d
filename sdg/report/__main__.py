"""Tables of many runs: ``python -m sdg.report runs DIR`` (see ``--help``)."""

import argparse
import sys
from pathlib import Path

from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.report.charts import write_library
from sdg.report.runs import Column, as_csv, as_markdown, find_runs, list_columns
from sdg.report.runs_page import as_page
from sdg.report.seeds import over_seeds, repeated, strangers

USUAL = (("alignment/mentioned", "spread/all"), ("alignment/mentioned", "diversity_judge"))
"""Pairs of measures plotted by default: what guidance gains against what it costs."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command; exits with status 1 and one line on standard error if the user must fix something."""
    options = _parser().parse_args(arguments)
    try:
        runs = find_runs(options.folders)
        for run, first in repeated(runs):
            print(
                f"{run.name} is {first.name} again: the seed is the same; the mean counts one",
                file=sys.stderr,
            )
        for run, first in strangers(runs):
            other = sorted({said.split(maxsplit=1)[-1] for said in {*run.contents} ^ {*first.contents}})
            print(
                f"{run.name} was drawn by other files than {first.name} ({', '.join(other)}): no mean is of "
                "both",
                file=sys.stderr,
            )
        runs += over_seeds(runs)
        columns = list_columns(runs, options.measures)
        pairs = _pairs(columns, options.plot)
        table = as_markdown(runs, columns)
        if options.out is not None:
            page = as_page(runs, columns, pairs, options.out)
            _write(options.out, {"runs.md": table, "runs.csv": as_csv(runs, columns), "runs.html": page})
        print(table, end="")
    except SDGError as error:
        sys.exit(f"error: {error}")


def _pairs(columns: list[Column], asked: list[list[str]]) -> list[tuple[Column, Column]]:
    """The pairs of measures to plot; if a measure has several protocols, the first."""
    known: dict[str, Column] = {}
    for column in columns:
        known.setdefault(column.measure, column)
    if unknown := [name for pair in asked for name in pair if name not in known]:
        raise SDGError(f"--plot {unknown[0]}: no run has that measure; choose among {', '.join(known)}")
    usual = [pair for pair in USUAL if known.keys() >= {*pair}]
    return [(known[x], known[y]) for x, y in (asked or usual)]


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
        write_library(folder)
    except OSError as error:
        raise SDGError(f"cannot write to {folder} ({error.strerror}): choose another --out") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sdg.report", description="Tables of what runs gave.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="runs")
    runs = commands.add_parser(
        "runs",
        help="merge every metrics.json",
        description="Print every metrics.json below the folders as one Markdown table: the settings in which "
        "the runs differ, what was measured, the mean over runs that differ by their seed alone, protocols.",
    )
    runs.add_argument(
        "folders", nargs="+", metavar="DIR", type=Path, help="folders that evaluate.py wrote to"
    )
    runs.add_argument(
        "--measures",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these, such as score/text 'alignment/*'",
    )
    runs.add_argument("--out", type=Path, metavar="DIR", help="also write runs.md, .csv and .html there")
    runs.add_argument(
        "--plot",
        nargs=2,
        action="append",
        default=[],
        metavar=("X", "Y"),
        help="of the page: one measure against another; may be given again (default: alignment/mentioned "
        "against spread/all and diversity_judge)",
    )
    return parser


if __name__ == "__main__":
    main()
