"""The ablations guided by words: what each line is, and which measures are shown."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from experiments.ablations import page
from experiments.ablations.lab import GUIDES, RENDERS, TIME_CLIP, Lab, Setting
from experiments.baselines.page import PROTOCOLS
from experiments.text_alignment.prompts import HELD_OUT

Lines = dict[str, dict[float, Setting]]

PANELS = {
    "mentioned right": "Mentioned attributes right",
    "all right": "All mentioned attributes right",
    "diversity": "Diversity (judge features)",
    "distance": "Kernel distance to renders (judge features)",
}
GAP = {"adversarial gap": "Found by the guide minus found by the judge"}
_ALIGNED = "mentioned right, all right"
_TOLD = {
    _ALIGNED: PROTOCOLS[_ALIGNED],
    "cosine by E', by CLIP": "of sample and prompt, by the time-dependent encoder at t = 0 and by plain CLIP",
    "found by": "share of samples whose own prompt is the most similar one in the file of prompts, by "
    "what guided (the time-dependent encoder at t = 0, or plain CLIP), and by the judge",
    "adversarial gap": "found by its guide minus found by the judge, which guides nobody",
    "diversity": PROTOCOLS["diversity"],
    "distance": f"squared maximum mean discrepancy of the judge's features of samples and of {RENDERS} "
    "renders for each that have what its prompt mentions, kernel (x·y/D + 1)³, unbiased; its intervals are "
    "over samples and renders",
    "unguided": "the prior's own samples, other ones for every prompt: what chance gives",
}


class Ablation(NamedTuple):
    """One setting that is varied, for each of a few alternatives."""

    title: str
    axis: str
    lines: Callable[[argparse.Namespace], Lines]
    panels: dict[str, str]


def scale(options: argparse.Namespace) -> Lines:
    """For the paper's sampler, and for one made for few steps."""
    samplers = dict.fromkeys(["ddpm", options.sampler])
    return {name: {s: Setting(s, name, options.steps) for s in options.scales} for name in samplers}


def steps(options: argparse.Namespace) -> Lines:
    """Each sampler at its own scale: one unit of scale moves a deterministic sampler half as far."""
    return {
        name: {n: Setting(scale, name, n) for n in options.counts} for name, scale in options.samplers.items()
    }


def encoder(options: argparse.Namespace) -> Lines:
    """Each guide needs scales of its own, so all are shown."""
    sampler, count = options.sampler, options.steps
    return {guide: {s: Setting(s, sampler, count, guide) for s in options.few_scales} for guide in GUIDES}


def mean(options: argparse.Namespace) -> Lines:
    alternatives = {"at x_t, the paper's code": "x_t", "at μ, the textbook": "mean"}
    return {
        label: {s: Setting(s, "ddpm", options.steps, TIME_CLIP, at) for s in options.few_scales}
        for label, at in alternatives.items()
    }


ABLATIONS = {
    "scale": Ablation("How strong guidance is", "guidance scale", scale, PANELS),
    "steps": Ablation("In how many steps, by which sampler", "steps", steps, PANELS),
    "encoder": Ablation(
        "The time-dependent encoder against plain CLIP as the guide",
        "guidance scale",
        encoder,
        {name: title for name, title in PANELS.items() if name != "all right"} | GAP,
    ),
    "mean": Ablation("Where the gradient is taken", "guidance scale", mean, PANELS),
}


def study(options: argparse.Namespace, name: str, lab: Lab) -> Path:
    """Draw, measure and show one ablation; returns the page."""
    ablation = ABLATIONS[name]
    lines = {
        label: {x: lab(setting) for x, setting in points.items()}
        for label, points in ablation.lines(options).items()
    }
    what = (
        f"{len(lab.prompts)} prompts of `{HELD_OUT.parent.name}/{HELD_OUT.name}`, {options.samples} samples "
        "of each, with the same noises."
    )
    title, axis, _, panels = ablation
    curves = page.Curves(name, title, axis, lines, panels, lab.unguided, what, _TOLD, "prompts")
    return page.save(options, curves)
