"""The pages of the experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.front.arms import ARMS, PRICES, STEPS, Way
from experiments.front.best import RIGHT, TORN, front, undominated
from experiments.grid import Point
from experiments.pages import cell, change, head, protocols, table
from experiments.results import save_page

GUIDES = {"encoder": "The time-dependent encoder guides", "clip": "Plain CLIP guides"}
YARDSTICK = {"encoder": "sdg", "clip": "clip_x0"}
COLUMNS = {
    RIGHT: ("right, not torn", ".3f"),
    "alignment/mentioned": ("mentioned right", ".3f"),
    TORN: ("torn", ".1f"),
    "drift/all": ("drift", ".3f"),
    "spread/all": ("spread", ".2f"),
    "distance": ("distance", ".3g"),
}
"""Measure -> its title and how it is written."""


def write_results(points: Mapping[float, Sequence[Point[Way]]], folder: Path, command: str) -> Path:
    """``results.md``: a table for each guide and budget, and who is on the front."""
    first = next(iter(points.values()))[0]
    counts = first.report["counts"]
    what = f"{counts['prompts']} held-out prompts, {counts['guided'] // counts['prompts']} pictures of each."
    told = ", ".join(f"{name} {price:g}" for name, price in PRICES.items())
    lines = [
        *head("Ways to guide the same prior, at equal cost", command, what),
        "![The front](front.png)",
        "",
        "The judge guides nobody and chooses nothing. Prices, in forwards of the prior for one picture, on "
        f"one core: {told}.",
        "",
    ]
    for guide, title in GUIDES.items():
        own = {budget: _of(guide, some) for budget, some in points.items() if _of(guide, some)}
        if not own:
            continue
        lines += [f"## {title}", ""]
        for budget, some in own.items():
            lines += [f"### {budget:g} forwards of the prior", "", *_table(some, YARDSTICK[guide])]
            names = ", ".join(p.way.arm for p in undominated(some))
            lines += [f"No other is as good in what is right, in drift and in what is torn: {names}.", ""]
        best = front([point for some in own.values() for point in some])
        steps = (f"{p.way.arm} in {p.way.steps} steps ({p.way.cost:.0f}: {p.value(RIGHT):.3f})" for p in best)
        lines += [f"On the front of what is right against cost: {', '.join(steps)}.", ""]
    lines += ["![Pictures](pictures.png)", "", *protocols(first.report["protocols"])]
    return save_page(folder / "results.md", lines, __package__)


def write_sweep(
    points: Sequence[Point[Way]], best: Mapping[str, Point[Way]], folder: Path, command: str
) -> Path:
    """``sweep.md``: every dose that was tried."""
    rows, counts = [], points[0].report["counts"]
    for p in points:
        setting = f"{ARMS[p.way.arm].knob}={p.way.dose:g}"
        rows.append([p.way.arm, f"**{setting}**" if best[p.way.arm] is p else setting, *_values(p)])
    what = (
        f"{counts['prompts']} prompts that no result is measured on, {counts['guided'] // counts['prompts']} "
        f"pictures of each in {points[0].way.steps} steps. Doses are those of {STEPS} steps: where pushes "
        "add up, fewer take more. Bold: the least torn of those alike in what is right that keep the spread; "
        "kept in `doses.json`."
    )
    lines = [
        *head("Doses of the ways to guide", command, what),
        "![Pictures](sweep.png)",
        "",
        *table(["arm", "setting", *(title for title, _ in COLUMNS.values())], rows, left=2),
    ]
    return save_page(folder / "sweep.md", lines, __package__)


def _table(points: Sequence[Point[Way]], yardstick: str) -> list[str]:
    against = next((p for p in points if p.way.arm == yardstick), points[0])
    rows = []
    for p in sorted(points, key=lambda p: -p.value(RIGHT)):
        more = "" if p is against else change(p.more(against, RIGHT))
        rows.append([p.way.arm, f"{p.way.dose:g}", str(p.way.steps), f"{p.way.cost:.0f}", *_values(p), more])
    titles = (title for title, _ in COLUMNS.values())
    return table(["arm", "dose", "steps", "cost", *titles, f"more right than {against.way.arm}"], rows)


def _values(p: Point[Way]) -> list[str]:
    return [cell(p.measures[name], form) for name, (_, form) in COLUMNS.items()]


def _of(guide: str, points: Sequence[Point[Way]]) -> list[Point[Way]]:
    return [point for point in points if point.way.guide == guide]
