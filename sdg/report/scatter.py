"""One measure against another, a point for each run; a line joins the best trade-offs."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from sdg.report.charts import Chart
from sdg.report.runs import Column, Run, words

LOWER = ("fid*", "fd_*", "kid*", "kd_*", "md_*", "drift*", "gap_*", "marginals*", "*distance*")
"""Measures for which lower is better."""


def scatter(runs: Sequence[Run], x: Column, y: Column) -> Chart | None:
    """The runs that have both measures, and a line through those on the Pareto front; None without any."""
    both = [(run, x.cell(run), y.cell(run)) for run in runs]
    found = [(run, a, b) for run, a, b in both if a is not None and b is not None]
    if not found:
        return None
    places = [(float(a["value"]), float(b["value"])) for _, a, b in found]
    front = pareto([(_sign(x) * a, _sign(y) * b) for a, b in places])
    texts = [f"{run.name}: {words(a)}, {words(b)}" for run, a, b in found]

    def dots(name: str, colour: str, chosen: Sequence[int]) -> dict:
        xs, ys = [places[i][0] for i in chosen], [places[i][1] for i in chosen]
        return {"name": name, "colour": colour, "x": xs, "y": ys, "text": [texts[i] for i in chosen]}

    best = sorted(front, key=lambda i: places[i])
    rest = [i for i in range(len(places)) if i not in front]
    line = {"name": "best", "x": [places[i][0] for i in best], "y": [places[i][1] for i in best]}
    return {
        "title": f"{y.title} against {x.title}",
        "x": x.title,
        "y": y.title,
        "lines": [line],
        "dots": [dots("none better in both", "#c2452d", best), dots("others", "#9cc7e6", rest)],
    }


def pareto(points: Sequence[tuple[float, float]]) -> set[int]:
    """Indices of the Pareto front (higher is better): no other point is as good in both and better in one."""
    return {
        i
        for i, (a, b) in enumerate(points)
        if not any(c >= a and d >= b and (c > a or d > b) for c, d in points)
    }


def _sign(column: Column) -> int:
    return -1 if any(fnmatchcase(column.measure, pattern) for pattern in LOWER) else 1
