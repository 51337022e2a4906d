"""Words against a picture, as the weight shifts from one to the other."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.controls.study import agreement
from experiments.plotting import ACCENT, COLORS, canvas, plain_axes
from experiments.running import draw, named
from sdg.metrics.judged import JudgeReader

WORDS, PICTURE = ACCENT, COLORS[0]


class Point(NamedTuple):
    """One weighting, measured on the attributes on which prompt and reference disagree."""

    share: float
    """Weight of the words; the picture has the rest."""
    words: float
    """Share of those attributes that follow the prompt."""
    picture: float
    """Share that follow the reference."""


def measure_blend(options: argparse.Namespace, share: float, judge: JudgeReader) -> Point:
    """Draw the first six prompts with the first four references, resuming any earlier run, and measure."""
    folder = options.output / f"blend_{share:g}"
    prompts, faces = options.prompts[:6], options.faces[:4]
    settings = [
        "guidance=mix",
        f"guidance.terms.text.weight={share}",
        f"guidance.terms.content.weight={1 - share}",
        named("prompts", prompts),
        named("references", [options.references / name for name in faces]),
        *("samples_per_prompt=2", "sampler.steps=50", "batch_size=32", f"seed={options.seed}", "trace=false"),
    ]
    draw(folder, [*settings, *options.sample])
    return Point(share, *agreement(folder, options, judge))


def draw_blend(points: Sequence[Point], folder: Path) -> None:
    """``blend.png`` and ``.svg``: which one is followed, against the weight of the words."""
    with canvas(folder, "blend", 5.2, 3.2, dpi=160) as figure:
        axes = figure.subplots()
        shares = [point.share for point in points]
        for values, label, color in (
            ([point.words for point in points], "as the words say", WORDS),
            ([point.picture for point in points], "as in the picture", PICTURE),
        ):
            axes.plot(shares, values, marker="o", color=color, linewidth=1.6, markersize=4)
            axes.annotate(label, (shares[-1], values[-1]), (6, 0), textcoords="offset points", va="center",
                          color=color)  # fmt: skip
        axes.set(xlabel="weight of the words; the picture has the rest", ylim=(0, 1))
        plain_axes(axes, "Attributes on which they disagree")
