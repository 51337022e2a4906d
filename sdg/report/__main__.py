"""Tables of many runs: ``python -m sdg.report runs DIR`` (see ``--help``)."""

import argparse
import sys
from pathlib import Path

from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.report.runs import as_csv, as_markdown, find_runs, list_columns


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ends with status 1 and one line on standard error if the user must mend something."""
    options = _parser().parse_args(arguments)
    try:
        runs = find_runs(options.folders)
        columns = list_columns(runs, options.measures)
        table = as_markdown(runs, columns)
        if options.out is not None:
            _write(options.out, {"runs.md": table, "runs.csv": as_csv(runs, columns)})
        print(table, end="")
    except SDGError as error:
        sys.exit(f"error: {error}")


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise SDGError(f"cannot write to {folder} ({error.strerror}): choose another --out") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sdg.report", description="Tables of what runs gave.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="runs")
    runs = commands.add_parser(
        "runs",
        help="merge every metrics.json",
        description="Print every metrics.json below the folders as one Markdown table, with its protocols.",
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
    runs.add_argument("--out", type=Path, metavar="DIR", help="also write runs.md and runs.csv there")
    return parser


if __name__ == "__main__":
    main()
