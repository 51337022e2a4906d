"""The figure of the experiment."""

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from experiments.plotting import FAINT, GRID, INK, STYLE, SVG, plain_axes
from experiments.samplers.mixture import Mixture
from experiments.samplers.study import BORDERS, POSTERIOR, PRIOR, chance
from experiments.samplers.table import Errors

FILL = {False: "#d9d9e0", True: "#efc9bf"}
COLORS = {
    "ddpm, small variance": "#e8a07c",
    "ddpm, large variance": "#c2452d",
    "ddpm, learned variance": "#7a1f12",
    "ddim, η = 0": "#0c3a5e",
    "ddim, η = 0.5": "#3f8ac4",
    "ddim, η = 1": "#9cc7e6",
    "dpmpp_2m, no limit": "#9ccfb0",
    "dpmpp_2m, reach 1": "#1f7a47",
    "dpmpp_2m_sde, reach 1": "#b08a1e",
}
MEASURES = ("Error of the mean", "Error of the variance", "Share of pixels in a wrong mode")
LOWEST, HIGHEST = 5e-4, 1.0
LEGEND = (*tuple(COLORS)[:3], *(f"{name}, at μ" for name in tuple(COLORS)[:3]), *tuple(COLORS)[3:])
CHANCE = "within 2 standard errors"


def draw_curve(errors: Errors, pixels: int, folder: Path) -> None:
    """``curve.png`` and ``curve.svg``: the error of each sampler against its steps, unguided and guided."""
    with mpl.rc_context(STYLE | SVG | {"font.size": 8.5}):
        figure = Figure(figsize=(11.5, 5.9), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08, hspace=0.03, wspace=0.02)
        grid = figure.subplots(2, 4, width_ratios=(0.8, 1, 1, 1))
        for row, guided, mixture in zip(grid, (False, True), (PRIOR, POSTERIOR), strict=True):
            _density(row[0], mixture, guided)
            for number, axes in enumerate(row[1:]):
                _panel(axes, errors, guided, number, chance(mixture, pixels)[number])
        for axes, title in zip(grid[0, 1:], MEASURES, strict=True):
            axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold", pad=8)
        for axes in grid[1, 1:]:
            axes.set_xlabel("steps", color=INK)
        grid[1, 0].set_xlabel("pixel value", color=INK)
        handles, labels = grid[1, 3].get_legend_handles_labels()
        lines = dict(zip(labels, handles, strict=True))
        figure.legend(
            [lines[label] for label in (*LEGEND, CHANCE)], (*LEGEND, CHANCE), loc="outside lower center",
            ncols=4, frameon=False, fontsize=8.5, columnspacing=2.2, handlelength=2.6,
        )  # fmt: skip
        drawn = BytesIO()
        figure.savefig(drawn, dpi=130)
        # A palette reduces the file size to a quarter.
        Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(folder / "curve.png")
        figure.savefig(folder / "curve.svg", metadata={"Date": None})


def _density(axes: Axes, mixture: Mixture, guided: bool) -> None:
    """The target density, with the share of each mode."""
    x = torch.linspace(-1.1, 1.2, 93, dtype=torch.float64)
    axes.fill_between(x, mixture.density(x), color=FILL[guided], linewidth=0)
    if guided:
        axes.plot(x, PRIOR.density(x), color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)))
    for border in BORDERS:
        axes.axvline(border, color=FAINT, linewidth=0.8, linestyle=(0, (1, 2)))
    edges = (float(x[0]), *BORDERS, float(x[-1]))
    for low, high, share in zip(edges, edges[1:], mixture.shares(BORDERS), strict=False):
        axes.text((low + high) / 2, 2.72, f"{100 * share:.0f} %", ha="center", fontsize=9)
    title = "Guided: the posterior" if guided else "Unguided: the prior"
    axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold", pad=8)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 3.0), yticks=[])
    axes.set_ylabel("density", color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _panel(axes: Axes, errors: Errors, guided: bool, number: int, floor: float) -> None:
    axes.set(xscale="log", yscale="log")
    axes.axhspan(LOWEST / 10, 2 * floor, color=GRID, linewidth=0, label=CHANCE)
    for (kind, name), by_steps in errors.items():
        if kind == guided:
            steps, values = list(by_steps), [error.sizes()[number] for error in by_steps.values()]
            axes.plot(steps, values, label=name, **_line(name))
    axes.set_xticks(steps, [f"{n}" for n in steps])
    axes.minorticks_off()
    axes.set_ylim(LOWEST, HIGHEST)
    plain_axes(axes)


def _line(name: str) -> dict:
    base, _, at_mean = name.partition(", at ")
    look = {"color": COLORS[base], "linewidth": 1.5, "marker": "o", "markersize": 3.4}
    if at_mean:
        return look | {"linestyle": (0, (3, 1.5)), "marker": "D", "markersize": 2.6}
    # Unguided, ddim with η = 1 is the same sampler, and its line lies on top.
    return look | ({"linewidth": 3.0, "markersize": 5.4} if base == "ddpm, small variance" else {})
