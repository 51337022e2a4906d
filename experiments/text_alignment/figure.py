"""The curve of the experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from experiments.grid import SPREAD_TO_KEEP, Point
from experiments.plotting import ACCENT, COLORS, FAINT, INK, canvas, level, plain_axes

PANELS: dict[str, tuple[str, float | None]] = {
    # measure: title, goal
    "alignment/mentioned": ("Mentioned attributes right", 0.90),
    "alignment/all": ("All mentioned attributes right", 0.75),
    "spread/all": ("Spread of unmentioned factors / unguided", SPREAD_TO_KEEP),
    "fd_judge_guided": ("Fréchet distance (judge features) / its floor", None),
}


def draw_curve(points: Sequence[Point], final: Point, folder: Path) -> None:
    """``curve.png`` and ``curve.svg``: each measure against the scale, a line for each number of steps."""
    with canvas(folder, "curve", 9, 6.2, dpi=160) as figure:
        for axes, (name, (title, goal)) in zip(
            figure.subplots(2, 2, sharex=True).flat, PANELS.items(), strict=True
        ):
            plain_axes(axes, title)
            _panel(axes, points, final, name)
            axes.set_ylim(0, max(1.06, axes.get_ylim()[1]))
            if goal is not None:
                level(axes, goal, f"goal {goal:g}", (0, (1, 2)))
            match points[-1].measures[name].beside:
                case ("floor", _):
                    level(axes, 1.0, "renders in the samples' place")
                case (label, value):
                    level(axes, value, label, left=False)
        for axes in figure.axes[2:]:
            axes.set_xlabel("guidance scale", color=INK)
        if len({point.way.steps for point in points}) > 1:
            figure.axes[0].legend(frameon=False, fontsize=8)
        swept, measured = (_size(each.report["counts"]) for each in (points[0], final))
        figure.suptitle(
            f"Blue: a sweep on {swept}, with 95 % intervals. "
            f"Red: the chosen scale on {measured} that took no part in it.",
            x=0.012, ha="left", fontsize=9, color=FAINT,
        )  # fmt: skip


def _panel(axes: Axes, points: Sequence[Point], final: Point, name: str) -> None:
    scales = sorted({point.way.scale for point in points})
    # Scales double, so their axis is logarithmic, except for a stretch down to 0.
    axes.set_xscale("symlog", linthresh=min((scale for scale in scales if scale), default=1.0), linscale=0.4)
    axes.set_xticks(scales, [f"{scale:g}" for scale in scales])
    axes.minorticks_off()
    for number, steps in enumerate(dict.fromkeys(point.way.steps for point in points)):
        line = [point for point in points if point.way.steps == steps]
        x = [point.way.scale for point in line]
        y, low, high = zip(*(_read(point, name) for point in line), strict=True)
        color = COLORS[(0, 5, 4)[number % 3]]
        axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(x, y, color=color, linewidth=1.8, marker="o", markersize=3.5, label=f"{steps} steps")
    value, bottom, top = _read(final, name)
    axes.plot([final.way.scale] * 2, [bottom, top], color=ACCENT, linewidth=1.8)
    axes.plot(final.way.scale, value, color=ACCENT, marker="o", markersize=6)
    at = (final.way.scale, top)
    text = axes.annotate(f"{value:.2f}", at, (0, 6), textcoords="offset points", ha="center")
    text.set(color=ACCENT, weight="bold", path_effects=[withStroke(linewidth=3, foreground="white")])


def _read(point: Point, name: str) -> tuple[float, float, float]:
    """Value and ends of its interval, relative to the floor, if any, which falls with more samples."""
    beside = point.measures[name].beside
    unit = beside[1] if beside is not None and beside[0] == "floor" else 1.0
    low, high = point.ends(name)
    return point.value(name) / unit, low / unit, high / unit


def _size(counts: Mapping[str, int]) -> str:
    return f"{counts['prompts']} prompts × {counts['guided'] // counts['prompts']} samples"
