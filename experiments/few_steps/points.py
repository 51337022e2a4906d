"""What is measured for each way."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from experiments.few_steps.ways import Way
from experiments.parts import gathered, merge
from experiments.running import configuration, draw, named
from sdg.data.prompts import read_prompts
from sdg.metrics.evidence import Evidence
from sdg.metrics.folder import read_manifest
from sdg.metrics.kernel import squared_distance
from sdg.metrics.measure import Measure
from sdg.metrics.run import evaluate
from sdg.report.traces import read_trace

METRICS = "metrics=[alignment,diversity_judge]"
DISTANCE = "+metrics.distance={_target_: experiments.few_steps.points.MatchedKernel}"


class MatchedKernel:
    """Kernel distance between guided samples and renders that show what their prompts mention.

    Args:
        reference: renders per sample.
    """

    def __init__(self, reference: int = 8):
        self.reference = reference
        self.protocol = (
            f"squared MMD of judge features of guided samples and of {reference} test renders for each that "
            "have what its prompt mentions, kernel (x·y/D + 1)^3, unbiased, over all pairs of "
            "samples that share neither prompt nor noise, so that renders would score 0; 95 % interval over "
            "prompts, noises and renders"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        mentioned = evidence.mentioned().repeat(self.reference, 1)
        renders = evidence.judge.faces(torch.arange(len(mentioned)), mentioned).features
        return [squared_distance(evidence.guided.features, renders, evidence.units)]


class Point(NamedTuple):
    """A way and its results."""

    way: Way
    asked: int
    """Forward and backward passes of the encoder for one picture, from its manifest."""
    report: dict

    def value(self, name: str) -> float:
        return self.report["measures"][name]["value"]

    def interval(self, name: str) -> tuple[float, float]:
        """Ends of the 95 % interval."""
        low, high = self.report["measures"][name]["interval"]
        return low, high


def measure(options: argparse.Namespace, way: Way, prompts: Path) -> Point:
    """Draw one way, resuming any earlier run, and have the judge evaluate it."""
    folder = options.output / way.name.replace(", ", "_").replace(" ", "-").replace(":", "-")
    texts = read_prompts(prompts)
    each = len(texts) // options.parts
    dealt = [texts[part * each : (part + 1) * each] for part in range(options.parts)]
    parts = _drawn(options, folder.name, [[*way.settings, named("prompts", own)] for own in dealt])
    free = _drawn(options, "unguided", [["method=unguided"]] * options.parts)
    merge(folder, parts, way.name, gathered(free))
    judged = [f"samples='{folder}'", f"mentions='{prompts}'", METRICS, DISTANCE, *options.evaluate]
    trace = read_trace(folder, next(record for record in read_manifest(folder) if record["scale"]))
    asked = len(trace["guided"]["t"]) if trace and "guided" in trace else 0
    return Point(way, asked, evaluate(configuration("evaluate", judged)).whole().report)


def _drawn(options: argparse.Namespace, name: str, settings: Sequence[Sequence[str]]) -> list[Path]:
    """One run of ``sample.py`` per list of settings, with consecutive seeds."""
    common = [f"samples_per_prompt={options.samples}", "batch_size=32", "unguided=false", *options.sample]
    return [
        draw(options.output / "parts" / f"{name}_{part}", [f"seed={options.seed + part}", *own, *common])
        for part, own in enumerate(settings)
    ]
