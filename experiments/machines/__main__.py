"""How much a row of table 1 moves between machines: ``python -m experiments.machines`` (see ``--help``).

Draws one row under several instruction sets and numbers of threads, which round differently, and measures
each. Long chains amplify a last bit until it can be seen. Finished samples are kept, so the command can be
interrupted and rerun.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.command import add_output, add_report, command
from experiments.machines.table import document
from experiments.results import save_page
from experiments.running import invocation, launch
from experiments.table1.__main__ import FOLDER as TABLE
from sdg.composition import ROOT
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
ROW = "sdg_text_20"
AS_CHOSEN = "as chosen by the libraries"
MACHINES: dict[str, Mapping[str, str]] = {
    AS_CHOSEN: {},
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "SSE 4": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
    "two threads": {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
}
"""Name -> what is set before PyTorch is loaded; all others have one thread."""
_ONE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    folders = {name: options.output / name.replace(" ", "-") for name in options.machines}
    for name, folder in folders.items():
        print(name, flush=True)
        run(folder, MACHINES[name], options)
    reports = {name: json.loads(_measured(folder).read_text("utf-8")) for name, folder in folders.items()}
    rows = {name: folder / ROW for name, folder in folders.items()}
    lines = document(reports, rows, MACHINES, invocation("machines", arguments))
    tables = [folder / "report" / "toyfaces_quick.md" for folder in folders.values()]
    print(f"look at {save_page(options.report / 'results.md', lines, 'experiments.machines', tables)}")


def run(folder: Path, machine: Mapping[str, str], options: argparse.Namespace) -> None:
    """Draw and measure the row in a process that is told which instructions to use.

    Raises:
        SDGError: it failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = ["quick", f"--rows={ROW}", "--jobs=1", f"--output={folder}", f"--report={folder / 'report'}"]
    words += [f"--prompts={options.prompts}", f"--references={options.prompts}", f"--parts={options.prompts}"]
    line = [sys.executable, "-m", f"experiments.{TABLE.name}", *words, f"--samples={options.samples}"]
    log = folder / "output.txt"
    with log.open("a", encoding="utf-8") as file:
        own = {**os.environ, **_ONE, **machine}
        done = subprocess.run(line, cwd=ROOT, env=own, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SDGError(f"experiments.{TABLE.name} ended with {done.returncode}: see {log}")


def _measured(folder: Path) -> Path:
    return folder / ROW / "metrics.json"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("machines", "Measure how much a row of table 1 moves between machines. Resumable.")
    names = list(MACHINES)
    parser.add_argument("--machines", nargs="+", choices=names, default=names, help="only these")
    parser.add_argument("--prompts", type=int, default=24, help="of the row, each with noises of its own")
    parser.add_argument("--samples", type=int, default=6, help="of each prompt")
    add_output(parser, "outputs/machines")
    add_report(parser, FOLDER, "table")
    options = parser.parse_args(arguments)
    if AS_CHOSEN not in options.machines:
        raise SDGError(f"all are compared with {AS_CHOSEN!r}: name it, too")
    options.output = options.output.absolute()
    return options


if __name__ == "__main__":
    launch(main)
