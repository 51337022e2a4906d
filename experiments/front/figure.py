"""The figures of the experiment: what is right against cost and against drift; pictures of every arm."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from experiments.front.arms import Way
from experiments.front.best import DRIFT, RIGHT, front
from experiments.front.table import GUIDES
from experiments.grid import Point
from experiments.plotting import ACCENT, FAINT, INK, canvas, plain_axes

OURS = ("sdg", "clip_x0")
"""The yardstick of each guide."""


def draw_front(points: Mapping[float, Sequence[Point[Way]]], folder: Path) -> None:
    """``front.png`` and ``front.svg``: a row for each guide."""
    every = [point for some in points.values() for point in some]
    guides = [guide for guide in GUIDES if any(p.way.guide == guide for p in every)]
    with canvas(folder, "front", 10, 4.2 * len(guides)) as figure:
        grid = figure.subplots(len(guides), 2, squeeze=False)
        for (left, right), guide in zip(grid, guides, strict=True):
            own = [point for point in every if point.way.guide == guide]
            plain_axes(left, GUIDES[guide])
            plain_axes(right)
            _against_cost(left, own)
            _against_drift(right, own)


def _against_cost(axes: Axes, points: Sequence[Point[Way]]) -> None:
    colours = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    best = front(points)
    axes.step(
        [p.way.cost for p in best], [p.value(RIGHT) for p in best], where="post", color=ACCENT, linewidth=1
    )
    for number, name in enumerate(dict.fromkeys(point.way.arm for point in points)):
        own = sorted((p for p in points if p.way.arm == name), key=lambda p: p.way.cost)
        x, y = [p.way.cost for p in own], [p.value(RIGHT) for p in own]
        colour = INK if name in OURS else colours[number % 20]
        axes.plot(x, y, color=colour, linewidth=1.4, marker="o", markersize=4, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("cost of a picture, in forwards of the prior")
    axes.set_ylabel("right, in pictures that are not torn")
    ticks = sorted({round(p.way.cost) for p in points if p.way.arm == points[0].way.arm})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=7.5, ncols=2)


def _against_drift(axes: Axes, points: Sequence[Point[Way]]) -> None:
    for name in dict.fromkeys(point.way.arm for point in points):
        p = max((p for p in points if p.way.arm == name), key=lambda p: p.way.cost)
        at = p.value(DRIFT), p.value(RIGHT)
        axes.plot(*at, marker="o", markersize=4.5, color=ACCENT if name in OURS else INK)
        axes.annotate(
            f"{name} {p.way.cost:.0f}",
            at,
            fontsize=7.5,
            xytext=(4, 3),
            textcoords="offset points",
            color=FAINT,
        )
    axes.set_xlabel("drift of what no prompt mentions (largest budget)")
