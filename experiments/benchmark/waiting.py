"""How long a person waits: for one picture from a new process, and for the first step of another drawing.

``python -m experiments.benchmark.waiting`` (see ``--help``) writes ``waiting.md``.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import sdg
from experiments.command import add_report, command
from experiments.results import save_page
from experiments.running import invocation, launch, machine

FOLDER = Path(__file__).parent
ONE = ["prompts=[a smiling face]", "samples_per_prompt=1", "unguided=false"]
PROCESSES: dict[str, list[str]] = {
    "`import sdg`": ["-c", "import sdg"],
    "`import torch`, for comparison": ["-c", "import torch"],
    "`sample.py` of one picture, `sampler=balanced`": ["-m", "sdg", "draw", *ONE, "sampler=balanced"],
    "`sample.py` of one picture, 100 steps": ["-m", "sdg", "draw", *ONE],
    "`sample.py` with an unknown setting": ["-m", "sdg", "draw", *ONE, "seeed=1"],
    "`evaluate.py` of an empty folder": ["-m", "sdg", "evaluate", "samples=."],
}
"""What Python is given."""
CHANGES: dict[str, list[dict[str, Any]]] = {
    "the same again": [{}],
    "another scale and seed": [{"scale": 100.0 + i, "seed": i} for i in range(20)],
    "another sampler": [{"sampler": name} for name in ("balanced", "ddim", "dpmpp_2m")],
    "other guidance": [{"guidance": "text_paper"}, {"method": "unguided"}, {"guidance": "text"}],
}
"""Settings of a studio's drawing after a first one, in turn; some are new to the process each time."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    lines = [
        "# How long a person waits",
        "",
        f"`{invocation('benchmark.waiting', arguments)}`, on {machine()}, the median of {options.rounds}.",
        "",
        "| a new process | seconds |",
        "|---|---|",
    ]
    for name, words in PROCESSES.items():
        times = [process(words) for _ in range(options.rounds)]
        lines.append(f"| {name} | {median(times):.1f} |")
    lines += ["", "| a studio's next drawing | milliseconds to the start of its first step |", "|---|---|"]
    with sdg.load(*options.sample) as studio:
        next_start(studio, {})
        for name, changes in CHANGES.items():
            turns = range(options.rounds)
            times = [next_start(studio, changes[i % len(changes)]) for i in turns]
            lines.append(f"| {name} | {1000 * median(times):.0f} |")
    save_page(options.report / "waiting.md", lines, __package__)
    print(f"look at {options.report / 'waiting.md'}")


def process(words: list[str]) -> float:
    """Seconds from the start to the end of Python, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, check=False)
        return time.perf_counter() - begun


def next_start(studio: sdg.Studio, settings: dict[str, Any]) -> float:
    """Seconds until the first step starts: until it has ended, without as long as the second one takes."""
    begun = time.perf_counter()
    steps = studio.steps("a smiling face", **settings)
    next(steps)
    first = time.perf_counter()
    next(steps)
    second = time.perf_counter()
    steps.close()
    return (first - begun) - (second - first)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("benchmark.waiting", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times that each is timed")
    parser.add_argument("--sample", nargs="*", default=[], metavar="KEY=VALUE", help="settings of the studio")
    add_report(parser, FOLDER, "table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
