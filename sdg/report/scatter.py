"""One measure against another, a point for each run, as SVG; a line joins the best trade-offs."""

import html
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from sdg.report.runs import Column, Run, words

LOWER = ("fid*", "fd_*", "kid*", "kd_*", "*distance*")
"""Measures for which lower is better."""
_WIDTH, _HEIGHT, _LEFT, _BELOW = 520, 360, 70, 46


def draw_scatter(runs: Sequence[Run], x: Column, y: Column) -> str:
    """The runs that have both measures; the line joins those on the Pareto front."""
    both = [(run, x.cell(run), y.cell(run)) for run in runs]
    found = [(run, a, b) for run, a, b in both if a is not None and b is not None]
    title = f"{y.title} against {x.title}"
    if not found:
        return f"<figure><figcaption>{html.escape(title)}: no run has both</figcaption></figure>"
    places = [(float(a["value"]), float(b["value"])) for _, a, b in found]
    across, up = (_scale([place[i] for place in places]) for i in (0, 1))
    dots = [
        (_LEFT + across(a) * (_WIDTH - _LEFT - 12), 12 + (1 - up(b)) * (_HEIGHT - _BELOW - 12))
        for a, b in places
    ]
    front = pareto([(_sign(x) * a, _sign(y) * b) for a, b in places])
    line = " ".join(f"{dots[i][0]:.1f},{dots[i][1]:.1f}" for i in sorted(front, key=lambda i: places[i]))
    marks = "".join(
        f'<circle cx="{left:.1f}" cy="{top:.1f}" r="5" fill="{"#c2452d" if i in front else "#9cc7e6"}">'
        f"<title>{html.escape(f'{run.name}: {words(a)}, {words(b)}')}</title></circle>"
        for i, ((run, a, b), (left, top)) in enumerate(zip(found, dots, strict=True))
    )
    return (
        f"<figure><figcaption>{html.escape(title)}; red: no run is better in both</figcaption><svg "
        f'width="{_WIDTH}" height="{_HEIGHT}" font-size="12" fill="currentColor">{_axes(places, x, y)}'
        f'<polyline points="{line}" fill="none" stroke="#c2452d" />{marks}</svg></figure>'
    )


def pareto(points: Sequence[tuple[float, float]]) -> set[int]:
    """Indices of the Pareto front (higher is better): no other point is as good in both and better in one."""
    return {
        i
        for i, (a, b) in enumerate(points)
        if not any(c >= a and d >= b and (c > a or d > b) for c, d in points)
    }


def _sign(column: Column) -> int:
    return -1 if any(fnmatchcase(column.measure, pattern) for pattern in LOWER) else 1


def _scale(values: Sequence[float]) -> Callable[[float], float]:
    """Maps values to [0, 1] with a margin."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 1.0
    return lambda value: (value - low + margin) / (high - low + 2 * margin)


def _axes(places: Sequence[tuple[float, float]], x: Column, y: Column) -> str:
    """A frame with the extremes and the names of the axes."""
    xs, ys = zip(*places, strict=True)
    bottom = _HEIGHT - _BELOW
    text = '<text x="{:.0f}" y="{:.0f}" text-anchor="{}">{}</text>'
    return (
        f'<path d="M{_LEFT} 8V{bottom}H{_WIDTH}" fill="none" stroke="currentColor" opacity=".4" />'
        + text.format(_LEFT, bottom + 16, "start", f"{min(xs):.3g}")
        + text.format(_WIDTH, bottom + 16, "end", f"{max(xs):.3g}")
        + text.format((_LEFT + _WIDTH) / 2, bottom + 36, "middle", html.escape(x.title))
        + text.format(_LEFT - 6, 20, "end", f"{max(ys):.3g}")
        + text.format(_LEFT - 6, bottom, "end", f"{min(ys):.3g}")
        + f'<text transform="translate(14 {bottom / 2:.0f}) rotate(-90)" text-anchor="middle">'
        + f"{html.escape(y.title)}</text>"
    )
