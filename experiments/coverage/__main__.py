"""How often intervals cover: ``python -m experiments.coverage`` (see ``--help``).

Draws runs from worlds in which samples share what their prompts and noises bring, measures each as
``evaluate.py`` would, and counts how often the interval holds the mean of all runs.
"""

from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_report, command
from experiments.coverage.study import EFFECTS, LAYOUTS, SHOWN, Count, count
from experiments.coverage.worlds import Layout
from experiments.results import save_page
from experiments.running import invocation, launch, machine
from sdg.progress import Bar

FOLDER = Path(__file__).parent
SHIFTS = {"apart": 0.5, "equal": 0.0}


def main(arguments: Sequence[str]) -> None:
    parser = command("coverage", __doc__)
    parser.add_argument("--runs", type=int, default=300, help="of each world")
    names = [layout.name for layout in LAYOUTS]
    parser.add_argument("--layouts", nargs="+", choices=names, default=names, help="only these")
    add_report(parser, FOLDER, "table")
    options = parser.parse_args(arguments)
    layouts = [layout for layout in LAYOUTS if layout.name in options.layouts]
    worlds = [(layout, name, shift) for layout in layouts for name in EFFECTS for shift in SHIFTS]
    found = {}
    for layout, name, shift in Bar(worlds, desc="coverage", unit="worlds"):
        found[layout.name, name, shift] = count(layout, EFFECTS[name], SHIFTS[shift], options.runs)
    lines = document(layouts, found, options.runs, invocation("coverage", arguments))
    print(f"look at {save_page(options.report / 'results.md', lines, 'experiments.coverage')}")


def document(
    layouts: Sequence[Layout], found: dict[tuple[str, str, str], dict[str, Count]], runs: int, called: str
) -> list[str]:
    """The page."""
    error = (0.95 * 0.05 / runs) ** 0.5
    lines = [
        "# How often 95 % intervals cover, measured",
        "",
        f"`{called}`, on {machine()}. {runs} runs of each world: a right share has a standard error of "
        f"{error:.3f}. Each cell: the share now; in brackets, the mean width of an interval by that of the "
        "central 95 % of the values; then the share with the intervals that were computed before, if any.",
    ]
    for layout in layouts:
        pairs = f" × {layout.references} references" if layout.references > 1 else ""
        shape = f"{layout.blocks} × ({layout.prompts} prompts{pairs} × {layout.noises} noises)"
        for shift in SHIFTS:
            lines += ["", f"## {layout.name}, {shape}; features {shift}", ""]
            lines += ["| measure | " + " | ".join(EFFECTS) + " |", "|---" * (len(EFFECTS) + 1) + "|"]
            for measure, title in SHOWN.items():
                cells = [_cell(found[layout.name, name, shift][measure]) for name in EFFECTS]
                lines.append("| " + " | ".join([title, *cells]) + " |")
    return [*lines, ""]


def _cell(count: Count) -> str:
    before = "" if count.before is None else f"; was {count.before:.2f}"
    return f"{count.now:.2f} ({count.wide:.2f}){before}"


if __name__ == "__main__":
    launch(main)
