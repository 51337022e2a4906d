"""The figures of the experiment: what is right against cost and against drift; pictures of every arm."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.front.arms import ARMS
from experiments.front.points import Point, front
from experiments.front.table import GUIDES
from experiments.plotting import ACCENT, FAINT, INK, STYLE, SVG, plain_axes
from sdg.metrics.folder import read_manifest
from sdg.report.grid import draw_grid, open_picture


def draw_front(points: Mapping[float, Sequence[Point]], folder: Path) -> None:
    """``front.png`` and ``front.svg``: a row for each guide."""
    every = [point for some in points.values() for point in some]
    guides = [guide for guide in GUIDES if any(ARMS[p.name].guide == guide for p in every)]
    with mpl.rc_context(STYLE | SVG):
        figure = Figure(figsize=(10, 4.2 * len(guides)), layout="constrained")
        grid = figure.subplots(len(guides), 2, squeeze=False)
        for (left, right), guide in zip(grid, guides, strict=True):
            own = [point for point in every if ARMS[point.name].guide == guide]
            _against_cost(left, own)
            _against_drift(right, own)
            left.set_title(GUIDES[guide], loc="left", fontsize=10, fontweight="bold", pad=8)
        figure.savefig(folder / "front.png", dpi=150, metadata={"Software": None})
        figure.savefig(folder / "front.svg", metadata={"Date": None})


def draw_pictures(points: Sequence[Point], prompts: Sequence[str], folder: Path) -> None:
    """``pictures.png``: a row for each prompt, a column for each arm, all from the same noise."""
    names = ["prior alone", *(point.name for point in points)]
    found = [{r["prompt"]: point.folder / r["file"] for r in _first(point.folder)} for point in points]
    rows = [
        (prompt, [open_picture(found[0][None]), *(open_picture(own[prompt]) for own in found)])
        for prompt in prompts
    ]
    draw_grid(rows, names, group=len(names)).save(folder / "pictures.png")


def _first(folder: Path) -> list[dict]:
    """The records of the pictures of index 0."""
    return [record for record in read_manifest(folder) if record["index"] == 0]


def _against_cost(axes: Axes, points: Sequence[Point]) -> None:
    colours = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    best = front(points)
    axes.step([p.cost for p in best], [p.mentioned for p in best], where="post", color=ACCENT, linewidth=1)
    for number, name in enumerate(dict.fromkeys(point.name for point in points)):
        own = sorted((p for p in points if p.name == name), key=lambda p: p.cost)
        x, y = [p.cost for p in own], [p.mentioned for p in own]
        colour = INK if name in ("sdg", "clip_x0") else colours[number % 20]
        axes.plot(x, y, color=colour, linewidth=1.4, marker="o", markersize=4, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("cost of a picture, in forwards of the prior")
    axes.set_ylabel("mentioned right")
    ticks = sorted({round(p.cost) for p in points if p.name == points[0].name})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    plain_axes(axes)
    axes.legend(frameon=False, fontsize=7.5, ncols=2)


def _against_drift(axes: Axes, points: Sequence[Point]) -> None:
    most = {name: max((p for p in points if p.name == name), key=lambda p: p.cost) for name in _names(points)}
    for name, p in most.items():
        colour = ACCENT if name in ("sdg", "clip_x0") else INK
        axes.plot(p.drift, p.mentioned, marker="o", markersize=4.5, color=colour)
        axes.annotate(
            f"{name} {p.cost:.0f}", (p.drift, p.mentioned), fontsize=7.5, xytext=(4, 3),
            textcoords="offset points", color=FAINT,
        )  # fmt: skip
    axes.set_xlabel("drift of what no prompt mentions (largest budget)")
    plain_axes(axes)


def _names(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.name for point in points))
