"""How the figures of experiments look."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdg.metrics.measure import Measure

INK, FAINT, GRID, ACCENT = "#24242a", "#7d7d88", "#ececf0", "#c2452d"
COLORS = ("#1f6aa5", ACCENT, "#1f7a47", "#b08a1e", "#6a4c93", "#3f8ac4")
MARKERS = "osD^vP"
STYLE = {
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
}
SVG = {"svg.hashsalt": "sdg", "svg.fonttype": "none"}
"""The same numbers give the same file, with text kept as text."""
ASIDE = 1.03
"""Factor between the positions of two lines on a logarithmic axis, so that none hides another."""


@contextmanager
def canvas(folder: Path, name: str, width: float, height: float, dpi: int = 150) -> Iterator[Figure]:
    """A figure in the house's style, saved as ``<name>.png`` and ``<name>.svg`` when it is done."""
    with mpl.rc_context(STYLE | SVG):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1, hspace=0.04, wspace=0.03)
        yield figure
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name}.png", dpi=dpi, metadata={"Software": None})
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def plain_axes(axes: Axes, title: str = "") -> None:
    """Grid lines to read values off, no frame, and a title at the left."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", pad=9)


def curves(axes: Axes, lines: Mapping[str, Sequence[tuple[float, Measure | None]]]) -> None:
    """A line for each alternative through measures at values of one setting, with 95 % intervals.

    The setting is thought to double, or nearly: its axis is logarithmic, with a tick at each value.
    """
    at = sorted({x for line in lines.values() for x, _ in line})
    axes.set_xscale("log")
    axes.set_xticks(at, [f"{x:g}" for x in at])
    axes.minorticks_off()
    for i, (label, line) in enumerate(lines.items()):
        known = [(x * ASIDE ** (i - (len(lines) - 1) / 2), m) for x, m in line if m is not None]
        x, ends = [x for x, _ in known], [m.interval or (m.value, m.value) for _, m in known]
        color = COLORS[i % len(COLORS)]
        axes.vlines(x, [e[0] for e in ends], [e[1] for e in ends], alpha=0.55, color=color, linewidth=1.7)
        marker = MARKERS[i % len(MARKERS)]
        values = [m.value for _, m in known]
        axes.plot(x, values, color=color, linewidth=1.7, marker=marker, markersize=4, label=label)


def level(axes: Axes, y: float, label: str, style: str | tuple = "--", left: bool = True) -> None:
    """A horizontal line to hold values against, with what it stands for written on it."""
    axes.axhline(y, color=FAINT, linewidth=1, linestyle=style)
    axes.annotate(
        label, (0.01 if left else 0.99, y), xycoords=("axes fraction", "data"), xytext=(0, 3),
        textcoords="offset points", ha="left" if left else "right", color=FAINT, fontsize=8,
    )  # fmt: skip
