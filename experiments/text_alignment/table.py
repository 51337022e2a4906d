"""The table of the experiment."""

from collections.abc import Sequence
from pathlib import Path

from experiments.results import save_page
from experiments.text_alignment.point import Point

COLUMNS = {
    "alignment/mentioned": "mentioned right",
    "alignment/all": "all right",
    "spread/all": "spread",
    "fd_judge_guided": "fd_judge_guided",
    "score/text": "guide's score",
}


def write_table(points: Sequence[Point], final: Point, folder: Path, command: str, machine: str) -> None:
    """``results.md``: the sweep and the measures at the chosen scale, with command, machine, protocols."""
    swept, measured, versions = points[0].report["counts"], final.report["counts"], final.report["versions"]
    lines = [
        "# Text alignment, measured",
        "",
        f"`{command}`, on {machine}, with sdg {versions['sdg']} and torch {versions['torch']}.",
        "",
        "![The curve](curve.png)",
        "",
        f"## The sweep: {swept['prompts']} prompts of `sweep.jsonl`, {swept['guided']} samples a scale",
        "",
        "| scale | steps | " + " | ".join(COLUMNS.values()) + " |",
        "|" + "---|" * (len(COLUMNS) + 2),
        *(
            f"| {p.scale:g} | {p.steps} | " + " | ".join(_cell(p, name) for name in COLUMNS) + " |"
            for p in points
        ),
        "",
        f"## Scale {final.scale:g}, {final.steps} steps: {measured['prompts']} prompts of `prompts.jsonl`, "
        f"{measured['guided']} samples",
        "",
        "| measure | value, 95 % interval | beside | n |",
        "|---|---|---|---|",
        *(_row(final, name) for name in final.report["measures"]),
        "",
        "## Protocols",
        "",
        *(f"- **{name}**: {protocol}." for name, protocol in final.report["protocols"].items()),
        "",
    ]
    save_page(folder / "results.md", lines, __package__)


def _cell(point: Point, name: str) -> str:
    low, high = point.interval(name)
    match point.beside(name):
        case ("floor", floor):
            return f"{point.value(name):.3g} (floor {floor:.3g})"
        case _:
            return f"{point.value(name):.2f}" + (f" ({low:.2f} … {high:.2f})" if high > low else "")


def _row(point: Point, name: str) -> str:
    low, high = point.interval(name)
    interval = f" ({low:.3f} … {high:.3f})" if high > low else ""
    beside = point.beside(name)
    label = f"{beside[1]:.3f} {beside[0]}" if beside else ""
    count = point.report["measures"][name]["count"]
    return f"| {name} | {point.value(name):.3f}{interval} | {label} | {count} |"
