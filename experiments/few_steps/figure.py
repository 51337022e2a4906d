"""The figure of the experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.few_steps.points import Point
from experiments.few_steps.table import cost

INK, FAINT = "#24242a", "#7d7d88"
COLORS = {"ddpm": "#c2452d", "ddim": "#3f8ac4", "dpmpp_2m": "#1f7a47", "dpmpp_2m_sde": "#b08a1e"}
MARKERS = "Ds^vP"
"""For calling the encoder less often."""
PANELS = (
    ("alignment/mentioned", "Mentioned attributes right"),
    ("alignment/all", "All mentioned attributes right"),
    ("diversity_judge", "Diversity of a prompt's samples"),
    ("distance", "Distance to matching renders"),
)


def draw_curve(points: Sequence[Point], times: Mapping[str, list[float]], folder: Path) -> None:
    """``curve.png`` and ``curve.svg``: each measure against time, with a line for each sampler."""
    style = {
        "font.size": 9,
        "text.color": INK,
        "axes.edgecolor": FAINT,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with mpl.rc_context(style | {"svg.hashsalt": "sdg", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 6.6), layout="constrained")
        grid = figure.subplots(2, 2, sharex=True)
        for axes, (name, title) in zip(grid.flat, PANELS, strict=True):
            _panel(axes, points, times, name)
            axes.set_title(title, loc="left", fontsize=10, fontweight="bold", pad=8)
        for axes in grid[1]:
            axes.set_xlabel(f"time, in that of {points[0].way.name}", color=INK)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
        figure.savefig(folder / "curve.png", dpi=150, metadata={"Software": None})
        figure.savefig(folder / "curve.svg", metadata={"Date": None})


def _panel(axes: Axes, points: Sequence[Point], times: Mapping[str, list[float]], name: str) -> None:
    first = points[0]
    axes.set_xscale("log")
    axes.axhspan(*first.interval(name), color="#f3e3de", linewidth=0)
    axes.axhline(first.value(name), color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)))
    for sampler in dict.fromkeys(point.way.sampler for point in points):
        line = sorted(
            (point for point in points if point.way.sampler == sampler and not point.way.less),
            key=lambda point: point.way.steps,
        )
        x, y = [cost(point, first, times)[0] for point in line], [point.value(name) for point in line]
        color = COLORS.get(sampler, INK)
        axes.plot(x, y, color=color, linewidth=1.6, marker="o", markersize=4, label=sampler)
    less = [point for point in points if point.way.less]
    for words, marker in zip(
        dict.fromkeys(point.way.less for point in less), MARKERS * len(less), strict=False
    ):
        own = [point for point in less if point.way.less == words]
        axes.plot(
            [cost(point, first, times)[0] for point in own], [point.value(name) for point in own],
            linestyle="", marker=marker, markersize=5.5, markerfacecolor="none",
            color=COLORS.get(own[0].way.sampler, INK), label=f"{own[0].way.sampler}, {words}",
        )  # fmt: skip
    ticks = {point.way.steps: cost(point, first, times)[0] for point in points if _alone(point, first)}
    axes.set_xticks([*ticks.values()], [f"{x:.2g}\n{steps} steps" for steps, x in ticks.items()])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#ececf0", linewidth=0.8)
    axes.set_axisbelow(True)
    if name.startswith("alignment"):
        axes.set_ylim(0, 1.06)


def _alone(point: Point, first: Point) -> bool:
    """Whether the axis names its number of steps: those of the first sampler, fully guided."""
    return point.way.sampler == first.way.sampler and not point.way.less
