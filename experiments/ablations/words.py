"""The ablations guided by words: what each line is, and which measures are shown."""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from experiments.ablations.page import write_page
from experiments.ablations.plain import PLAIN, plain_clip
from experiments.grid import Point, Study, Way
from experiments.matched import COLUMNS, QUALITY
from experiments.text_alignment.prompts import HELD_OUT

TIME_CLIP, PLAIN_X_T, PLAIN_X0 = "time-dependent CLIP on x_t", "plain CLIP on x_t", "plain CLIP on x̂_0"
GUIDES = {TIME_CLIP: "guide", PLAIN_X_T: "clip_guide", PLAIN_X0: "clip_guide"}
"""Guide -> the extractor (conf/features) with the encoder that guides."""
GAP = (
    "+metrics.gap={{_target_: sdg.metrics.retrieve.AdversarialGap, guide: {}, held_out: judge_answers, "
    f"pool: '{HELD_OUT}', least: 40}}}}"
)
PANELS = {
    "alignment/mentioned": "Mentioned attributes right",
    "alignment/all": "All mentioned attributes right",
    "diversity_judge": "Diversity (judge features)",
    "distance": "Kernel distance to renders (judge features)",
}
Lines = Mapping[str, Mapping[float, Way]]
"""Alternative -> value of the setting -> what is drawn."""


class Ablation(NamedTuple):
    """One setting that is varied, for each of a few alternatives."""

    title: str
    axis: str
    lines: Callable[[argparse.Namespace], Lines]
    panels: Mapping[str, str] = PANELS


def way(
    options: argparse.Namespace,
    sampler: str,
    steps: int,
    scale: float,
    guide: str = TIME_CLIP,
    at: str = "x_t",
) -> Way:
    """What is drawn, by whose gradient, taken where."""
    words = [f"sampler={sampler}", f"sampler.steps={steps}", f"guidance.scale={scale:g}"]
    words += ["method=clip_x0"] if guide == PLAIN_X0 else []
    words += [f"encoder.checkpoint='{options.output / PLAIN}'"] if guide == PLAIN_X_T else []
    words += [f"sampler.rule.gradient_at={at}"] if at != "x_t" else []
    return Way(f"guide{[*GUIDES].index(guide)}_{sampler}_{steps}_{at}_{scale:g}", words)


def encoder(options: argparse.Namespace) -> Lines:
    """Each guide needs scales of its own, so all are shown."""
    own = partial(way, options, options.sampler, options.steps)
    return {guide: {s: own(s, guide) for s in options.scales} for guide in GUIDES}


def mean(options: argparse.Namespace) -> Lines:
    places = {"at x_t, the paper's code": "x_t", "at μ, the textbook": "mean"}
    own = partial(way, options, "ddpm", options.steps)
    return {label: {s: own(s, at=at) for s in options.scales} for label, at in places.items()}


ABLATIONS = {
    "encoder": Ablation(
        "The time-dependent encoder against plain CLIP as the guide",
        "guidance scale",
        encoder,
        {name: title for name, title in PANELS.items() if name != "alignment/all"}
        | {"gap/top_1": "Found by the guide minus found by the judge"},
    ),
    "mean": Ablation("Where the gradient is taken", "guidance scale", mean),
}


def study(options: argparse.Namespace, name: str) -> Path:
    """Draw, measure and show one ablation; returns the page."""
    title, axis, lines_of, panels = ABLATIONS[name]
    lines = lines_of(options)
    if PLAIN_X_T in lines:
        plain_clip(options.output, options.sample)
    points = dict[str, Mapping[float, Point[Way]]]()
    for label, line in lines.items():
        guide = GUIDES.get(label, GUIDES[TIME_CLIP])
        found = Study(options, [*QUALITY, GAP.format(guide)]).all([*line.values()])
        points[label] = dict(zip(line, found, strict=True))
    columns = COLUMNS | {"gap/top_1": ("adversarial gap", ".2f")}
    return write_page(options, name, (title, axis), points, columns, panels)
