"""The figure of the experiment."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from experiments.few_steps.table import Times, cost
from experiments.few_steps.ways import Way
from experiments.grid import Point
from experiments.plotting import COLORS, FAINT, INK, MARKERS, canvas, plain_axes

PANELS = {
    "alignment/mentioned": "Mentioned attributes right",
    "alignment/all": "All mentioned attributes right",
    "diversity_judge": "Diversity of a prompt's samples",
    "distance": "Distance to matching renders",
}


def draw_curve(points: Sequence[Point[Way]], times: Times, folder: Path) -> None:
    """``curve.png`` and ``curve.svg``: each measure against time, with a line for each sampler."""
    with canvas(folder, "curve", 9, 6.6) as figure:
        grid = figure.subplots(2, 2, sharex=True)
        for axes, (name, title) in zip(grid.flat, PANELS.items(), strict=True):
            _panel(axes, points, times, name)
            plain_axes(axes, title)
        for axes in grid[1]:
            axes.set_xlabel(f"time, in that of {points[0].way.name}", color=INK)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)


def _panel(axes: Axes, points: Sequence[Point[Way]], times: Times, name: str) -> None:
    first, every = points[0], {p.way.name: (cost(p, points[0], times)[0], p.value(name)) for p in points}
    axes.set_xscale("log")
    axes.axhspan(*first.ends(name), color="#f3e3de", linewidth=0)
    axes.axhline(first.value(name), color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)))
    samplers = list(dict.fromkeys(point.way.sampler for point in points))
    colors = dict(zip(samplers, COLORS * len(samplers), strict=False))
    for sampler in samplers:
        ways = sorted(
            (p.way for p in points if p.way.sampler == sampler and not p.way.less), key=lambda way: way.steps
        )
        line = [every[way.name] for way in ways]
        axes.plot(*zip(*line, strict=True), color=colors[sampler], marker="o", markersize=4, label=sampler)
    less = [point.way for point in points if point.way.less]
    for words, marker in zip(dict.fromkeys(way.less for way in less), MARKERS * len(less), strict=False):
        own = [way for way in less if way.less == words]
        axes.plot(
            *zip(*(every[way.name] for way in own), strict=True), linestyle="", marker=marker, markersize=5.5,
            markerfacecolor="none", color=colors[own[0].sampler], label=f"{own[0].sampler}, {words}",
        )  # fmt: skip
    # The axis names the numbers of steps of the first sampler, fully guided.
    alone = [p.way for p in points if p.way.sampler == first.way.sampler and not p.way.less]
    ticks = {way.steps: every[way.name][0] for way in alone}
    axes.set_xticks([*ticks.values()], [f"{x:.2g}\n{steps} steps" for steps, x in ticks.items()])
    axes.minorticks_off()
    if name.startswith("alignment"):
        axes.set_ylim(0, 1.06)
