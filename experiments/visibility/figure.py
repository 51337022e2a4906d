"""The figure: sentences against noise levels."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from experiments.plotting import FAINT, INK, STYLE, SVG
from sdg.metrics.visibility import Answer


def draw_map(at: Sequence[int], answers: Sequence[Answer], folder: Path) -> None:
    """``curve.png`` and ``curve.svg``: accuracy by pair of sentences (rows) and timestep (columns)."""
    rows = sorted(answers, key=lambda answer: -sum(answer.accuracy))
    with mpl.rc_context(STYLE | SVG):
        figure = Figure(figsize=(8, 1.2 + 0.19 * len(rows)), layout="constrained")
        axes = figure.subplots()
        picture = axes.imshow(
            [answer.accuracy for answer in rows], vmin=0.5, vmax=1, cmap="Blues", aspect="auto"
        )
        axes.set_xticks(range(len(at)), [str(t) for t in at])
        axes.set_yticks(range(len(rows)), [f"{answer.a} / {answer.b}" for answer in rows], fontsize=7)
        axes.set_xlabel("timestep t of the noised pictures", color=INK)
        axes.set_title("Told apart: 0.5 is chance", loc="left", fontsize=10, fontweight="bold")
        axes.spines[:].set_visible(False)
        for y, answer in enumerate(rows):
            for x, value in enumerate(answer.accuracy):
                color = "white" if value > 0.8 else FAINT
                axes.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=6, color=color)
        figure.colorbar(picture, ax=axes, shrink=0.4, label="accuracy")
        figure.savefig(folder / "curve.png", dpi=150, metadata={"Software": None})
        figure.savefig(folder / "curve.svg", metadata={"Date": None})
