"""The figures: pictures side by side, and what the judge reads in them."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from experiments.grid import Columns, Point
from experiments.photographs.page import PICTURES, WANTED, WORDS, Found
from experiments.photographs.ways import DIVERSITY, Way
from experiments.pictures import side_by_side
from experiments.plotting import ACCENT, COLORS, FAINT, INK, canvas, plain_axes

_WIDTH = 0.8
"""Of a group of bars; the groups are 1 apart."""


def draw_figures(found: Found, targets: dict[str, Sequence[str]], folder: Path) -> None:
    """``numbers.png`` and ``.svg``, ``pictures.png`` of prompts, and ``references.png`` of pictures.

    Args:
        targets: some of the ``prompts`` and ``references``.
    """
    with canvas(folder, "numbers", 10, 6.4) as figure:
        above, below = figure.subplots(2, 1)
        ways = [*found.words.values(), *([found.shuffled] if found.shuffled else [])]
        _bars(above, ways, WORDS, "Read as the words say")
        for place, name in enumerate(WORDS):
            if (least := WANTED.get(name)) is not None:
                above.hlines(least, place - 0.45, place + 0.45, color=INK, linewidth=1, linestyle=":")
        above.set_ylim(0, 1.05)
        shown = {name: told for name, told in PICTURES.items() if name != "layout"}
        own = {**shown, DIVERSITY: ("diversity", ".3f")}
        _bars(below, [*found.pictures.values()], own, "Against the person in the reference")
    words, pictures = ([*points.values()] for points in (found.words, found.pictures))
    for points, kind, name in ((words, "prompts", "pictures"), (pictures, "references", "references")):
        if points:
            names = [point.way.control.title for point in points]
            side_by_side(points, names, targets[kind], folder / f"{name}.png")


def _bars(axes: Axes, points: Sequence[Point[Way]], columns: Columns, title: str) -> None:
    """A group for each measure, a bar for each way, a grey line for unguided samples of the same noise."""
    names = [name for name in columns if points and name in points[0].measures]
    wide = _WIDTH / max(1, len(points))
    for number, point in enumerate(points):
        at = [place + (number - (len(points) - 1) / 2) * wide for place in range(len(names))]
        values = [point.value(name) for name in names]
        ends = [point.ends(name) for name in names]
        color = ACCENT if number == 0 else COLORS[(number + 1) % len(COLORS)]
        axes.bar(at, values, wide * 0.92, color=color, alpha=0.85, label=point.way.control.title)
        axes.vlines(at, [low for low, _ in ends], [high for _, high in ends], color=INK, linewidth=1)
    for place, name in enumerate(names):
        beside = points[0].measures[name].beside
        if beside is not None:
            axes.hlines(beside[1], place - 0.45, place + 0.45, color=FAINT, linewidth=1.4)
    axes.set_xticks(range(len(names)), [columns[name][0] for name in names])
    plain_axes(axes, title)
    axes.legend(frameon=False, fontsize=7.5, ncols=6, loc="lower right", bbox_to_anchor=(1, 1))
