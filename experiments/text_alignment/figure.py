"""The curve of the experiment."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from experiments.plotting import ACCENT, FAINT, INK, STYLE, SVG, plain_axes
from experiments.text_alignment.point import SPREAD_TO_KEEP, Point

BLUES = ("#1f6aa5", "#7fb2d9", "#0c3a5e", "#b5d3ea")

PANELS = (
    # measure, title, goal
    ("alignment/mentioned", "Mentioned attributes right", 0.90),
    ("alignment/all", "All mentioned attributes right", 0.75),
    ("spread/all", "Spread of unmentioned factors / unguided", SPREAD_TO_KEEP),
    ("fd_judge_guided", "Fréchet distance (judge features) / its floor", None),
)


def draw_curve(points: Sequence[Point], final: Point, folder: Path) -> None:
    """``curve.png`` and ``curve.svg``: each measure against the scale, a line for each number of steps."""
    with mpl.rc_context(STYLE | SVG):
        figure = Figure(figsize=(9, 6.2), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1, hspace=0.04, wspace=0.03)
        for axes, panel in zip(figure.subplots(2, 2, sharex=True).flat, PANELS, strict=True):
            _panel(axes, points, final, *panel)
        for axes in figure.axes[2:]:
            axes.set_xlabel("guidance scale", color=INK)
        _label_steps(figure.axes[0], points)
        swept, measured = (each.report["counts"] for each in (points[0], final))
        figure.suptitle(
            f"Blue: a sweep on {_size(swept)}, with 95 % intervals. "
            f"Red: the chosen scale on {_size(measured)} that took no part in it.",
            x=0.012, ha="left", fontsize=9, color=FAINT,
        )  # fmt: skip
        figure.savefig(folder / "curve.png", dpi=160, metadata={"Software": None})
        figure.savefig(folder / "curve.svg", metadata={"Date": None})


def _panel(
    axes: Axes, points: Sequence[Point], final: Point, name: str, title: str, goal: float | None
) -> None:
    scales = sorted({point.scale for point in points})
    # Scales double, so their axis is logarithmic, except for a stretch down to 0.
    axes.set_xscale("symlog", linthresh=min((scale for scale in scales if scale), default=1.0), linscale=0.4)
    axes.set_xticks(scales, [f"{scale:g}" for scale in scales])
    axes.minorticks_off()
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", pad=9)
    plain_axes(axes)
    for line, color in zip(_lines(points), BLUES * len(points), strict=False):
        x = [point.scale for point in line]
        y, low, high = zip(*(_read(point, name) for point in line), strict=True)
        axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(x, y, color=color, linewidth=1.8, marker="o", markersize=3.5)

    value, low, high = _read(final, name)
    axes.plot([final.scale] * 2, [low, high], color=ACCENT, linewidth=1.8)
    axes.plot(final.scale, value, color=ACCENT, marker="o", markersize=6)
    text = axes.annotate(f"{value:.2f}", (final.scale, high), (0, 6), textcoords="offset points", ha="center")
    text.set(color=ACCENT, weight="bold", path_effects=[withStroke(linewidth=3, foreground="white")])

    axes.set_ylim(0, max(1.06, axes.get_ylim()[1]))
    if goal is not None:
        _level(axes, goal, f"goal {goal:g}", (0, (1, 2)), left=True)
    match points[-1].beside(name):
        case ("floor", _):
            _level(axes, 1.0, "renders in the samples' place", "--", left=True)
        case (label, value):
            _level(axes, value, label, "--", left=False)


def _read(point: Point, name: str) -> tuple[float, float, float]:
    """Value and ends of its interval, relative to the floor, if any, which falls with more samples."""
    match point.beside(name):
        case ("floor", floor):
            unit = floor
        case _:
            unit = 1.0
    low, high = point.interval(name)
    return point.value(name) / unit, low / unit, high / unit


def _level(axes: Axes, y: float, text: str, style: str | tuple, left: bool) -> None:
    axes.axhline(y, color=FAINT, linewidth=1, linestyle=style)
    side = {"xy": (0.01 if left else 0.99, y), "xycoords": ("axes fraction", "data")}
    axes.annotate(
        text, **side, xytext=(0, 3), textcoords="offset points", ha="left" if left else "right",
        color=FAINT, fontsize=8,
    )  # fmt: skip


def _label_steps(axes: Axes, points: Sequence[Point]) -> None:
    """Label the lines at their ends, without overlap, if there is more than one."""
    lines = _lines(points)
    if len(lines) < 2:
        return
    ends = [
        (line[-1].value(PANELS[0][0]), line[-1], color) for line, color in zip(lines, BLUES * 9, strict=False)
    ]
    y = -1.0
    for value, point, color in sorted(ends):
        y = max(value, y + 0.07)
        label = f"{point.steps} steps"
        axes.annotate(label, (point.scale, y), (8, -3), textcoords="offset points", color=color, fontsize=8)


def _lines(points: Sequence[Point]) -> list[list[Point]]:
    """The points of each number of steps."""
    return [[p for p in points if p.steps == steps] for steps in dict.fromkeys(p.steps for p in points)]


def _size(counts: dict) -> str:
    return f"{counts['prompts']} prompts × {counts['guided'] // counts['prompts']} samples"
