"""One setting drawn and measured: what is right, picture by picture, so that settings can be paired."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.few_steps.points import MatchedKernel
from experiments.front.arms import Arm
from experiments.running import draw, load_judge, named, some
from sdg.metrics import intervals
from sdg.metrics.drift import Drift
from sdg.metrics.evidence import Evidence
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import open_samples
from sdg.metrics.spread import NuisanceSpread
from sdg.metrics.units import Units

PROMPTS = Path(__file__).parent.parent / "text_alignment"
TUNING, HELD_OUT = PROMPTS / "sweep.jsonl", PROMPTS / "prompts.jsonl"
SAMPLER = "sampler=dpmpp_2m_sde"
RENDERS = 256
"""On which the judge shows which nuisances it reads well."""


class Point(NamedTuple):
    """An arm at one dose and number of steps."""

    name: str
    steps: int
    cost: float
    """In forwards of the prior for a picture, by the prices of :mod:`.arms`."""
    dose: float
    folder: Path
    right: Tensor
    """(P, n) shares of what each prompt mentions that are right, as the judge reads them."""
    whole: Tensor
    """(P, n), 1 where all of it is right."""
    drift: float
    """Of attributes that a prompt does not mention; see :class:`~sdg.metrics.drift.Drift`."""
    spread: float
    """Of nuisances, relative to unguided."""
    distance: float
    """To renders that show what is mentioned."""

    @property
    def mentioned(self) -> float:
        return float(self.right.mean())

    @property
    def all(self) -> float:
        return float(self.whole.mean())


class Bench:
    """Draws settings towards the same prompts from the same noises, and measures them.

    Args:
        options: of the command line: ``output``, ``samples``, ``seed``, ``sample``, ``evaluate``.
        pool: the file of prompts; ``prompts`` of them are drawn.
    """

    def __init__(self, options: argparse.Namespace, pool: Path, prompts: int):
        self.options, self.prompts = options, some(pool, prompts)
        self.mentions, self.judge = Mentions(pool), load_judge(options.evaluate)

    def __call__(self, name: str, arm: Arm, steps: int, dose: float) -> Point:
        """Draw a setting, or what is left of it, and measure it."""
        options, folder = self.options, self.options.output / f"{name}_{steps}_{dose:g}"
        words = [SAMPLER, *arm.settings(steps, dose), named("prompts", self.prompts), f"seed={options.seed}"]
        draw(folder, [*words, f"samples_per_prompt={options.samples}", "batch_size=32", *options.sample])
        evidence = Evidence(open_samples(folder), self.mentions, lambda: self.judge)
        said = evidence.mentioned()
        asked, right = said >= 0, (said >= 0) & (evidence.guided.attributes == said)
        shares, whole = right.sum(dim=1) / asked.sum(dim=1), (right == asked).all(dim=1)
        return Point(
            name,
            steps,
            steps * arm.price,
            dose,
            folder,
            evidence.by_target(shares.double()),
            evidence.by_target(whole.double()),
            Drift()(evidence)[0].value,
            NuisanceSpread(RENDERS)(evidence)[0].value,
            MatchedKernel()(evidence)[0].value,
        )


def difference(one: Point, other: Point) -> tuple[float, tuple[float, float]]:
    """How much more of what is mentioned is right in ``one``, with its interval over prompts and noises.

    Both have the same of them, so that they are compared pair by pair.
    """
    change = one.right - other.right
    mean = float(change.mean())
    return mean, intervals.interval(mean, _spread(change)) or (0.0, 0.0)


def interval(point: Point) -> tuple[float, float]:
    """Of what is mentioned and right, over prompts and noises."""
    found = intervals.share_interval(point.mentioned, _spread(point.right))
    return found or (point.mentioned, point.mentioned)


def _spread(values: Tensor) -> intervals.Spread:
    """Of the mean of (P, n), a prompt's samples in a row; all prompts have the same noises."""
    prompts, samples = values.shape
    keys = [(prompt, noise) for prompt in range(prompts) for noise in range(samples)]
    units = Units({"prompt": [prompt for prompt, _ in keys], "noise": [noise for _, noise in keys]})
    return intervals.mean_spread(units, values.flatten())


def choose(points: Sequence[Point]) -> Point:
    """The dose with the most pictures right in everything, among those that keep four fifths of the spread of
    what no prompt mentions; in a tie, the smallest."""
    return max(points, key=lambda p: (min(p.spread, 0.8), p.all, p.mentioned, -p.dose))


def front(points: Sequence[Point]) -> list[Point]:
    """Those that no other is better than in what is right and no worse in cost, the cheapest first."""
    ranked = sorted(points, key=lambda p: (p.cost, -p.mentioned))
    best, kept = torch.tensor(-1.0).item(), []
    for point in ranked:
        if point.mentioned > best:
            kept.append(point)
            best = point.mentioned
    return kept
