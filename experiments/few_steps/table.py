"""The table of the experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.benchmark.report import relative
from experiments.few_steps.points import Point
from experiments.results import save_page

MEASURES = {
    "alignment/mentioned": "mentioned right",
    "alignment/all": "all right",
    "diversity_judge": "diversity",
    "distance": "distance",
}
RIGHT = ("alignment/mentioned", "alignment/all")


def write_table(
    points: Sequence[Point], times: Mapping[str, list[float]], folder: Path, command: str, machine: str
) -> None:
    """``results.md``: cost and quality of every way, and the cheapest ways no worse than the first."""
    first, counts, versions = points[0], points[0].report["counts"], points[0].report["versions"]
    rows = [
        f"| {p.way.sampler} | {p.way.steps} | {p.way.less} | {p.way.scale:g} | {p.way.steps} + {p.asked} | "
        f"{_time(p, first, times)} | {' | '.join(_cell(p, name) for name in MEASURES)} |"
        for p in points
    ]
    lines = [
        "# Fewer steps, measured",
        "",
        f"`{command}`, on {machine}, with sdg {versions['sdg']} and torch {versions['torch']}. "
        f"{counts['prompts']} prompts, {counts['guided'] // counts['prompts']} samples of each.",
        "",
        "![The curve](curve.png)",
        "",
        "Evaluations are forwards of the UNet + forwards and backwards of the encoder, for one picture. "
        f"Time is in that of {first.way.name}, of whole chains in turns within one process: the median of "
        f"{len(times[first.way.name])} rounds, least and most.",
        "",
        "| sampler | steps | encoder asked less | scale | evaluations | time | "
        + " | ".join(MEASURES.values())
        + " |",
        "|---|---:|---|---:|---:|---:|" + "---:|" * len(MEASURES),
        *rows,
        "",
        f"## The cheapest that are no worse than {first.way.name}",
        "",
        *(f"- In {MEASURES[name]}: {cheapest(points, times, name)}." for name in RIGHT),
        "",
        "## The cheapest whose interval reaches as high",
        "",
        *(f"- In {MEASURES[name]}: {cheapest(points, times, name, surely=False)}." for name in RIGHT),
        "",
        "## Protocols",
        "",
        *(f"- **{name}**: {protocol}." for name, protocol in first.report["protocols"].items()),
        "",
    ]
    save_page(folder / "results.md", lines, __package__)


def cheapest(
    points: Sequence[Point], times: Mapping[str, list[float]], name: str, surely: bool = True
) -> str:
    """The fastest of the ways whose value is at least that of the first, in words.

    Args:
        surely: compare the values themselves; False: the upper ends of their intervals.
    """
    first = points[0]
    reached = {p.way.name: p.value(name) if surely else p.interval(name)[1] for p in points}
    good = [point for point in points if reached[point.way.name] >= first.value(name)]
    best = min(good, key=lambda point: cost(point, first, times)[0])
    return (
        f"{best.way.name} ({best.value(name):.3f} against {first.value(name):.3f}), in "
        f"{cost(best, first, times)[0]:.2f} of the time"
    )


def cost(point: Point, first: Point, times: Mapping[str, list[float]]) -> tuple[float, float, float]:
    """Time relative to the first way, round by round: median, minimum, maximum."""
    return relative(times[point.way.name], times[first.way.name])


def _time(point: Point, first: Point, times: Mapping[str, list[float]]) -> str:
    middle, least, most = cost(point, first, times)
    return "1" if point is first else f"{middle:.3f} ({least:.3f} … {most:.3f})"


def _cell(point: Point, name: str) -> str:
    low, high = point.interval(name)
    return f"{point.value(name):.3g} ({low:.3g} … {high:.3g})"
