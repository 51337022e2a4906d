"""The pages of the experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.front.arms import PRICES, RUNGS, Way
from experiments.front.best import CRITERION, RIGHT, TORN, front, undominated
from experiments.front.doses import Doses
from experiments.front.strength import PROMPTS
from experiments.grid import Columns, Point, listed
from experiments.pages import change, head, protocols
from experiments.results import save_page

GUIDES = {"encoder": "The time-dependent encoder guides", "clip": "Plain CLIP guides"}
YARDSTICK = {"encoder": "sdg", "clip": "clip_x0"}
COLUMNS: Columns = {
    RIGHT: ("right, not torn", ".3f"),
    "alignment/mentioned": ("mentioned right", ".3f"),
    TORN: ("torn", ".1f"),
    "drift/all": ("drift", ".3f"),
    "spread/all": ("spread", ".2f"),
    "distance": ("distance", ".3g"),
}
HEADS = ["arm", "dose", "strength", "steps", "cost"]


def write_results(points: Mapping[float, Sequence[Point[Way]]], folder: Path, command: str) -> Path:
    """``results.md``: a table for each guide and budget, and who is on the front."""
    first = next(iter(points.values()))[0]
    told = ", ".join(f"{name} {price:g}" for name, price in PRICES.items())
    lines = [
        *head("Ways to guide the same prior, at equal cost", command),
        "![The front](front.png)",
        "",
        "The judge guides nobody and chooses nothing. Where a budget has no sweep, a way takes the relative "
        "dose that was chosen at the nearest below. Prices, in forwards of the prior for one picture, on "
        f"one core: {told}.",
        "",
    ]
    for guide, title in GUIDES.items():
        own = {budget: _of(guide, some) for budget, some in points.items() if _of(guide, some)}
        if not own:
            continue
        lines += [f"## {title}", ""]
        for budget, some in own.items():
            lines += [
                f"### {budget:g} forwards of the prior, {some[0].size}",
                "",
                *_table(some, YARDSTICK[guide]),
            ]
            names = ", ".join(p.way.arm for p in undominated(some))
            lines += [f"No other is as good in what is right, in drift and in what is torn: {names}.", ""]
        best = front([point for some in own.values() for point in some])
        steps = (f"{p.way.arm} in {p.way.steps} steps ({p.way.cost:.0f}: {p.value(RIGHT):.3f})" for p in best)
        lines += [f"On the front of what is right against cost: {', '.join(steps)}.", ""]
    lines += ["![Pictures](pictures.png)", "", *protocols(first.report["protocols"])]
    return save_page(folder / "results.md", lines, __package__)


def write_sweep(
    points: Mapping[float, Sequence[Point[Way]]], doses: Doses, folder: Path, command: str
) -> Path:
    """``sweep.md``: every dose that was tried."""
    lines = [
        *head("Doses of the ways to guide", command, f"Chosen, {CRITERION}; kept in `doses.json`."),
        "A relative dose of r moves the next state as far as a change of ε̂ by r of its own length would. All "
        f"ways get the same ladder, {', '.join(f'{rung:g}' for rung in RUNGS)}, as the median over the steps "
        f"of {PROMPTS} pictures; strengths are what gives it, measured beforehand.",
        "",
    ]
    for budget, some in points.items():
        lines += [
            f"## {budget:g} forwards of the prior, {some[0].size}",
            "",
            f"![Pictures](sweep_{budget:g}.png)",
        ]
        chosen = {"chosen": lambda p, b=budget: "yes" if doses(b, p.way.arm) == p.way.dose else ""}
        lines += ["", *listed(HEADS, some, COLUMNS, chosen)]
    return save_page(folder / "sweep.md", lines, __package__)


def _table(points: Sequence[Point[Way]], yardstick: str) -> list[str]:
    against = next((p for p in points if p.way.arm == yardstick), points[0])
    best = sorted(points, key=lambda p: -p.value(RIGHT))
    title = f"more right than {against.way.arm}"
    return listed(HEADS, best, COLUMNS, {title: lambda p: change(p.more(against, RIGHT))})


def _of(guide: str, points: Sequence[Point[Way]]) -> list[Point[Way]]:
    return [point for point in points if point.way.guide == guide]
