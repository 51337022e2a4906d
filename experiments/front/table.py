"""The pages of the experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.front.arms import ARMS, PRICES
from experiments.front.points import Point, difference, front, interval
from experiments.results import save_page

GUIDES = {"encoder": "The time-dependent encoder guides", "clip": "Plain CLIP guides"}
YARDSTICK = {"encoder": "sdg", "clip": "clip_x0"}
COLUMNS = ("mentioned right", "all right", "drift", "spread", "distance")
WORDS = (
    "**mentioned right**: share of what a prompt mentions that the judge reads, 95 % interval over prompts "
    "and noises; **all right**: pictures with all of it. **drift**: of attributes that a prompt does not "
    "mention, against unguided pictures of the same noise and steps, less what chance gives. **spread**: of "
    "nuisances, relative to unguided. **distance**: squared kernel distance to renders that show what is "
    "mentioned. The judge guides nobody and chooses nothing."
)


def write_results(points: Mapping[float, Sequence[Point]], folder: Path, head: str) -> Path:
    """``results.md``: a table for each guide and budget, and who is on the front."""
    lines = ["# Ways to guide the same prior, at equal cost", "", head, "", "![The front](front.png)", ""]
    lines += [WORDS, "", _prices(), ""]
    for guide, title in GUIDES.items():
        own = {budget: _of(guide, some) for budget, some in points.items() if _of(guide, some)}
        if not own:
            continue
        lines += [f"## {title}", ""]
        for budget, some in own.items():
            yardstick = next((p for p in some if p.name == YARDSTICK[guide]), some[0])
            lines += [f"### {budget:g} forwards of the prior", "", *_table(some, yardstick), ""]
        best = front([point for some in own.values() for point in some])
        told = ", ".join(f"{p.name} in {p.steps} steps ({p.cost:.0f}: {p.mentioned:.3f})" for p in best)
        lines += [f"On the front of what is right against cost: {told}.", ""]
    lines += ["![Pictures](pictures.png)", ""]
    return _written(folder / "results.md", lines)


def write_sweep(points: Sequence[Point], best: Mapping[str, Point], folder: Path, head: str) -> Path:
    """``sweep.md``: every dose that was tried."""
    lines = [
        "# Doses of the ways to guide",
        "",
        head,
        "",
        "20 steps each, on prompts that no result is measured on. Bold: the most pictures right in all, "
        "among those that keep 0.8 of the spread; kept in `doses.json`.",
        "",
        f"| arm | setting | {' | '.join(COLUMNS)} |",
        f"|---|---|{'---:|' * len(COLUMNS)}",
    ]
    for p in points:
        mark = "**" if best[p.name] is p else ""
        lines.append(f"| {p.name} | {mark}{ARMS[p.name].knob}={p.dose:g}{mark} | {_values(p)} |")
    return _written(folder / "sweep.md", [*lines, ""])


def _table(points: Sequence[Point], yardstick: Point) -> list[str]:
    rows = [
        f"| arm | dose | steps | cost | {' | '.join(COLUMNS)} | more right than {yardstick.name} |",
        f"|---|---:|---:|---:|{'---:|' * len(COLUMNS)}---:|",
    ]
    for p in sorted(points, key=lambda p: -p.mentioned):
        more, (low, high) = difference(p, yardstick)
        against = "" if p is yardstick else f"{more:+.3f} ({low:+.3f} … {high:+.3f})"
        rows.append(f"| {p.name} | {p.dose:g} | {p.steps} | {p.cost:.0f} | {_values(p)} | {against} |")
    return rows


def _values(p: Point) -> str:
    low, high = interval(p)
    right = f"{p.mentioned:.3f} ({low:.2f} … {high:.2f})"
    return f"{right} | {p.all:.3f} | {p.drift:.3f} | {p.spread:.2f} | {p.distance:.4f}"


def _prices() -> str:
    told = ", ".join(f"{name} {price:g}" for name, price in PRICES.items())
    return f"Prices, in forwards of the prior for one picture, on one core: {told}."


def _of(guide: str, points: Sequence[Point]) -> list[Point]:
    return [point for point in points if ARMS[point.name].guide == guide]


def _written(path: Path, lines: Sequence[str]) -> Path:
    save_page(path, lines, __package__)
    return path
