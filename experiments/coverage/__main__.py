"""How often intervals cover: ``python -m experiments.coverage`` (see ``--help``).

Draws runs from worlds in which samples share what their prompts and noises bring, measures each as
``evaluate.py`` would, and counts how often the interval holds the mean of all runs. What has been counted is
kept, so the command can be interrupted and rerun.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, command
from experiments.coverage.study import EFFECTS, LAYOUTS, SHOWN, Count, count
from experiments.coverage.worlds import Layout
from experiments.dependencies import files
from experiments.results import save_page
from experiments.running import invocation, launch, machine
from sdg.files import write_whole
from sdg.progress import Bar

FOLDER = Path(__file__).parent
SHIFTS = {"apart": 0.5, "equal": 0.0}


def main(arguments: Sequence[str]) -> None:
    parser = command("coverage", __doc__)
    parser.add_argument("--runs", type=int, default=300, help="of each world")
    parser.add_argument("--before", type=int, default=100, help="runs with the intervals before, too")
    names = [layout.name for layout in LAYOUTS]
    parser.add_argument("--layouts", nargs="+", choices=names, default=names[:3], help="only these")
    add_output(parser, "outputs/coverage")
    add_report(parser, FOLDER, "table")
    options = parser.parse_args(arguments)
    layouts = [layout for layout in LAYOUTS if layout.name in options.layouts]
    worlds = [(layout, name, shift) for layout in layouts for name in EFFECTS for shift in SHIFTS]
    found = {}
    for layout, name, shift in Bar(worlds, desc="coverage", unit="worlds"):
        path = options.output / f"{layout.name}, {name}, {shift}.json"
        found[layout.name, name, shift] = kept(path, layout, name, shift, options.runs, options.before)
    lines = document(layouts, found, options.runs, options.before, invocation("coverage", arguments))
    print(f"look at {save_page(options.report / 'results.md', lines, 'experiments.coverage')}")


def kept(path: Path, layout: Layout, name: str, shift: str, runs: int, before: int) -> dict[str, Count]:
    """The counts of one world, from its file if they were made by this code in as many runs."""
    made_by = {"files": files(FOLDER), "runs": runs, "before": before}
    if path.is_file():
        file = json.loads(path.read_text("utf-8"))
        if file["made by"] == made_by:
            return {measure: Count(**each) for measure, each in file["counts"].items()}
    counts = count(layout, EFFECTS[name], SHIFTS[shift], runs, before)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"made by": made_by, "counts": {measure: each._asdict() for measure, each in counts.items()}}
    write_whole(path, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    return counts


def document(
    layouts: Sequence[Layout],
    found: dict[tuple[str, str, str], dict[str, Count]],
    runs: int,
    before: int,
    called: str,
) -> list[str]:
    """The page."""
    now, then = ((0.95 * 0.05 / max(count, 1)) ** 0.5 for count in (runs, before))
    lines = [
        "# How often 95 % intervals cover, measured",
        "",
        f"`{called}`, on {machine()}. {runs} runs of each world: a right share has a standard error of "
        f"{now:.3f}. Each cell: the share now; in brackets, the mean width of an interval by that of the "
        "central 95 % of the values; then the share with the intervals that were computed before, if any, "
        f"in {before} of the runs ({then:.3f}). What does not depend on where features lie is told once.",
    ]
    for layout in layouts:
        pairs = f" × {layout.references} references" if layout.references > 1 else ""
        shape = f"{layout.blocks} × ({layout.prompts} prompts{pairs} × {layout.noises} noises)"
        for shift in SHIFTS:
            lines += ["", f"## {layout.name}, {shape}; features {shift}", ""]
            lines += ["| measure | " + " | ".join(EFFECTS) + " |", "|---" * (len(EFFECTS) + 1) + "|"]
            for measure in found[layout.name, next(iter(EFFECTS)), shift]:
                cells = [_cell(found[layout.name, name, shift][measure]) for name in EFFECTS]
                lines.append("| " + " | ".join([SHOWN[measure], *cells]) + " |")
    return [*lines, ""]


def _cell(count: Count) -> str:
    before = "" if count.before is None else f"; was {count.before:.2f}"
    return f"{count.now:.2f} ({count.wide:.2f}){before}"


if __name__ == "__main__":
    launch(main)
