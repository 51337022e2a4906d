"""The table of the experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.benchmark.report import relative
from experiments.few_steps.ways import Way
from experiments.grid import Point, listed
from experiments.matched import COLUMNS
from experiments.pages import head, protocols
from experiments.results import save_page
from sdg.metrics.folder import read_manifest
from sdg.report.traces import read_trace

RIGHT = ("alignment/mentioned", "alignment/all")
Times = Mapping[str, list[float]]
"""Name of a way -> its time in each round."""


def write_table(points: Sequence[Point[Way]], times: Times, folder: Path, command: str) -> Path:
    """``results.md``: cost and quality of every way, and the cheapest ways no worse than the first."""
    first = points[0]
    cost_of = {
        "evaluations": lambda p: f"{p.way.steps} + {asked(p.folder)}",
        "time": lambda p: _time(p, first, times),
    }
    lines = [
        *head("Fewer steps, measured", command, f"{first.size}."),
        "![The curve](curve.png)",
        "",
        "Evaluations are forwards of the UNet + forwards and backwards of the encoder, for one picture. "
        f"Time is in that of {first.way.name}, of whole chains in turns within one process: the median of "
        f"{len(times[first.way.name])} rounds, least and most.",
        "",
        *listed(["sampler", "steps", "encoder asked less", "scale"], points, COLUMNS, cost_of),
        f"## The cheapest that are no worse than {first.way.name}",
        "",
        *(f"- In {COLUMNS[name][0]}: {cheapest(points, times, name)}." for name in RIGHT),
        "",
        "## The cheapest whose interval reaches as high",
        "",
        *(f"- In {COLUMNS[name][0]}: {cheapest(points, times, name, surely=False)}." for name in RIGHT),
        "",
        *protocols(first.report["protocols"]),
    ]
    return save_page(folder / "results.md", lines, __package__)


def asked(folder: Path) -> int:
    """Forward and backward passes of the encoder for one picture of a run."""
    trace = read_trace(folder, next(record for record in read_manifest(folder) if record["scale"]))
    return len(trace["guided"]["t"]) if trace and "guided" in trace else 0


def cheapest(points: Sequence[Point[Way]], times: Times, name: str, surely: bool = True) -> str:
    """The fastest of the ways whose value is at least that of the first, in words.

    Args:
        surely: compare the values themselves; False: the upper ends of their intervals.
    """
    first = points[0]
    reached = {p.way.name: p.value(name) if surely else p.ends(name)[1] for p in points}
    good = [point for point in points if reached[point.way.name] >= first.value(name)]
    best = min(good, key=lambda point: cost(point, first, times)[0])
    return (
        f"{best.way.name} ({best.value(name):.3f} against {first.value(name):.3f}), in "
        f"{cost(best, first, times)[0]:.2f} of the time"
    )


def cost(point: Point[Way], first: Point[Way], times: Times) -> tuple[float, float, float]:
    """Time relative to the first way, round by round: median, minimum, maximum."""
    return relative(times[point.way.name], times[first.way.name])


def _time(point: Point[Way], first: Point[Way], times: Times) -> str:
    middle, least, most = cost(point, first, times)
    return "1" if point is first else f"{middle:.3f} ({least:.3f} … {most:.3f})"
