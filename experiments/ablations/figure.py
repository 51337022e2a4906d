"""The figure of an ablation."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.ablations.curves import Curves
from experiments.plotting import FAINT, INK, STYLE, SVG, plain_axes

COLORS = ("#1f6aa5", "#c2452d", "#1f7a47", "#b08a1e")
MARKERS = ("o", "s", "D", "^")
ASIDE = 1.03
"""Factor between the positions of two lines, so that none hides another."""


def draw_curves(curves: Curves, folder: Path) -> None:
    """``<name>.png`` and ``.svg``: a panel for each measure, a line for each alternative, 95 % intervals."""
    columns = 3 if len(curves.panels) == 3 else 2
    rows, width = -(-len(curves.panels) // columns), 5 + 2 * columns
    with mpl.rc_context(STYLE | SVG):
        figure = Figure(figsize=(width, 2.9 * rows + 0.5), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1, hspace=0.04, wspace=0.03)
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for axes, (measure, title) in zip(grid.flat, curves.panels.items(), strict=True):
            _panel(axes, curves, measure)
            axes.set_title(title, loc="left", fontsize=10, fontweight="bold", pad=9)
        for axes in grid[-1]:
            axes.set_xlabel(curves.axis, color=INK)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(folder / f"{curves.name}.png", dpi=140, metadata={"Software": None})
        figure.savefig(folder / f"{curves.name}.svg", metadata={"Date": None})


def _panel(axes: Axes, curves: Curves, name: str) -> None:
    # The varied setting doubles, or nearly.
    axes.set_xscale("log")
    axes.set_xticks(curves.at, [f"{x:g}" for x in curves.at])
    axes.minorticks_off()
    plain_axes(axes)
    if (base := curves.unguided.get(name)) is not None:
        axes.axhline(base.value, color=FAINT, linewidth=1, linestyle="--", label="unguided")
    for i, (label, points) in enumerate(curves.lines.items()):
        known = [(x, measure) for x, point in points.items() if (measure := point.values[name]) is not None]
        ends = [measure.interval or (measure.value, measure.value) for _, measure in known]
        x = [x * ASIDE ** (i - (len(curves.lines) - 1) / 2) for x, _ in known]
        look = {"color": COLORS[i % len(COLORS)], "linewidth": 1.7}
        axes.vlines(x, [low for low, _ in ends], [high for _, high in ends], alpha=0.55, **look)
        values = [measure.value for _, measure in known]
        axes.plot(x, values, marker=MARKERS[i % len(MARKERS)], markersize=4.5, label=label, **look)
