"""The table: what is right, by both instruments, and what has drifted."""

from collections.abc import Sequence
from pathlib import Path

from experiments.grid import Point, Way
from experiments.pages import cell, head, protocols, table
from experiments.results import save_page
from sdg.data.toyfaces import ATTRIBUTES

RIGHT = {
    "mentioned right": ("alignment/mentioned", "alignment_redrawn/mentioned"),
    "all right": ("alignment/all", "alignment_redrawn/all"),
    **{
        value: (f"alignment/expression/{value}", f"alignment_redrawn/expression/{value}")
        for value in ATTRIBUTES["expression"]
    },
}
"""Column -> the measure by the judge, and by drawing again."""
REST = {"spread": ("spread/all", ".2f"), "distance": ("fd_judge_guided", ".3g")}
DRIFT = "drift/"


def write_table(points: Sequence[Point[Way]], folder: Path, command: str) -> Path:
    """``results.md``."""
    first = points[0].report
    counts = first["counts"]
    names = list(dict.fromkeys(name for p in points for name in p.measures if name.startswith(DRIFT)))
    what = f"{counts['prompts']} held-out prompts, {counts['guided']} samples a way, from the same noises."
    lines = [
        *head("What guidance moves, and what it should", command, what),
        "## What prompts ask for: by the judge / by drawing again",
        "",
        *table(["guided by", *RIGHT, *REST], [[p.way.name, *_right(p), *_rest(p)] for p in points]),
        "## What they don't: drift, with its 95 % interval",
        "",
        *table(
            ["guided by", *(name.removeprefix(DRIFT) for name in names)],
            [[p.way.name, *(cell(p.measures.get(name)) for name in names)] for p in points],
        ),
        "## Settings",
        "",
        *(f"- {p.way.name}: `{' '.join(p.way.settings)}`" for p in points),
        "",
        *protocols(first["protocols"]),
    ]
    return save_page(folder / "results.md", lines, __package__)


def _right(point: Point[Way]) -> list[str]:
    both = ([point.measures.get(name) for name in names] for names in RIGHT.values())
    return [" / ".join("–" if each is None else f"{each.value:.2f}" for each in pair) for pair in both]


def _rest(point: Point[Way]) -> list[str]:
    return [cell(point.measures.get(name), form) for name, form in REST.values()]
