"""Runs towards prompts: drawn once, however many ablations use them, and measured in the same way."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from experiments.ablations.page import Point, Values
from experiments.ablations.plain import plain_clip
from experiments.baselines.measures import towards_prompts
from experiments.baselines.runs import Bench, led_by_chance, seconds_per_image, timed
from experiments.running import named, some
from experiments.text_alignment.prompts import HELD_OUT
from sdg.metrics.evidence import Evidence
from sdg.metrics.kernel import squared_distance
from sdg.metrics.pictures import open_samples

TIME_CLIP, PLAIN_X_T, PLAIN_X0 = "time-dependent CLIP on x_t", "plain CLIP on x_t", "plain CLIP on x̂_0"
GUIDES = {TIME_CLIP: "guide", PLAIN_X_T: "clip_guide", PLAIN_X0: "clip_guide"}
"""Guide -> the extractor (conf/features) with the encoder that guides."""
RENDERS = 4
"""Per sample, as the reference of the kernel distance."""


class Setting(NamedTuple):
    """What the runs differ in."""

    scale: float
    sampler: str
    steps: int
    guide: str = TIME_CLIP
    gradient_at: str = "x_t"
    """For ddpm: x_t or mean."""

    @property
    def folder(self) -> str:
        guide = list(GUIDES).index(self.guide)
        return f"guide{guide}_{self.sampler}_{self.steps}_{self.gradient_at}_{self.scale:g}"


def insist(options: argparse.Namespace, name: str, settings: Sequence[str], samples: int) -> Path:
    """As :func:`~experiments.baselines.runs.drawn`, but ``settings`` win, being what is compared."""
    given = [f"seed={options.seed}", f"sampler.steps={options.steps}"]
    return timed(options.output / name, [*given, *options.sample, *settings], samples)


class Lab:
    """Draws and measures runs towards the same prompts, from the same noises.

    Args:
        options: of the command line.
    """

    def __init__(self, options: argparse.Namespace):
        self.options, self.prompts = options, some(HELD_OUT, options.prompts)
        self.bench = Bench(options, HELD_OUT)
        self.points: dict[Setting, Point] = {}
        count = len(self.prompts) * options.samples
        mentioned = self.bench.mentions(self.prompts).repeat_interleave(options.samples, dim=0)
        faces = self.bench.judge.faces(torch.arange(RENDERS * count), mentioned.repeat(RENDERS, 1))
        self.renders = faces.features
        print("unguided", flush=True)
        settings = ["method=unguided", f"sampler={options.sampler}", f"sampler.steps={options.steps}"]
        self.free = open_samples(insist(options, "unguided", settings, count))
        chance = led_by_chance(self.free, self.prompts, "prompts", options.samples)
        self.unguided = self.measure(self.bench(chance, self.free), None)

    def __call__(self, setting: Setting) -> Point:
        """Draw a run, or what is left of it, and measure it."""
        if setting not in self.points:
            settings = self.settings(setting)
            print(" ".join(settings), flush=True)
            aimed = [*settings, named("prompts", self.prompts)]
            folder = insist(self.options, setting.folder, aimed, self.options.samples)
            values = self.measure(self.bench(open_samples(folder), self.free), GUIDES[setting.guide])
            seconds = seconds_per_image(folder, "cpu")
            self.points[setting] = Point(" ".join(settings), values, seconds)
        return self.points[setting]

    def settings(self, setting: Setting) -> list[str]:
        """For ``sample.py``, without the targets."""
        words = [f"sampler={setting.sampler}", f"sampler.steps={setting.steps}"]
        words.append(f"guidance.scale={setting.scale:g}")
        if setting.gradient_at != "x_t":
            words.append(f"sampler.rule.gradient_at={setting.gradient_at}")
        if setting.guide == PLAIN_X0:
            words.append("method=clip_x0")
        if setting.guide == PLAIN_X_T:
            words.append(f"encoder.checkpoint='{plain_clip(self.options.output, self.options.sample)}'")
        return words

    def measure(self, evidence: Evidence, guide: str | None) -> Values:
        """The measures for prompts from the comparison of methods, and the distance to renders."""
        apart = squared_distance(evidence.guided.features, self.renders, evidence.units)
        return {**towards_prompts(evidence, guide), "distance": apart}
