"""How the figures of experiments look."""

from matplotlib.axes import Axes

INK, FAINT, GRID, ACCENT = "#24242a", "#7d7d88", "#ececf0", "#c2452d"
STYLE = {
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
}
SVG = {"svg.hashsalt": "sdg", "svg.fonttype": "none"}
"""The same numbers give the same file, with text kept as text."""


def plain_axes(axes: Axes) -> None:
    """Grid lines to read values off, and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
