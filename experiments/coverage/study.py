"""Counting: how often each measure's interval holds what it would be on average over runs."""

from collections import defaultdict
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.coverage.before import interval_before
from experiments.coverage.worlds import MOVED, Effects, Layout, World
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.distance import Frechet
from sdg.metrics.diversity import PairwiseDistance
from sdg.metrics.drift import Drift
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Interval
from sdg.metrics.kernel import KernelDistance
from sdg.metrics.manifold import Manifold
from sdg.metrics.measure import Metric
from sdg.metrics.spread import NuisanceSpread

LAYOUTS = (
    Layout("rows of table 1", 40, 1, 10),
    Layout("one run", 1, 24, 8),
    Layout("words and pictures", 1, 8, 6, references=6),
    Layout("ten seeds", 10, 10, 10),
)
"""Table 1 has 100 parts of one target in each row; 40 are harder."""
EFFECTS = {
    "all alike": Effects(0.7, 0.7, 1.0),
    "prompts differ": Effects(1.0, 0.0, 1.0),
    "noises differ": Effects(0.0, 1.0, 1.0),
    "independent": Effects(0.0, 0.0, 1.0),
}


class Trusting(NuisanceSpread):
    """Believes every nuisance."""

    def _unexplained(self, evidence: Evidence) -> Tensor:
        return torch.zeros(evidence.guided.nuisances.shape[1])


METRICS: dict[str, Metric] = {
    "alignment": TextAlignment(),
    "spread": Trusting(),
    "drift": Drift(),
    "diversity": PairwiseDistance("values"),
    "fréchet": Frechet("values"),
    "kernel": KernelDistance("values", subset_size=150, subsets=20),
    "prdc": Manifold("values"),
}
OF_FEATURES = ("fréchet", "kernel", "prdc")
"""All else does not depend on where the features lie."""
SHOWN = {
    "alignment/mentioned": "share of what is mentioned (0.9)",
    "spread/all": "spread",
    "drift/beard": "drift, of what has moved",
    "drift/glasses": "drift, of what has not",
    "diversity": "diversity",
    "fréchet": "Fréchet",
    "kernel": "kernel",
    "prdc/precision": "precision",
    "prdc/recall": "recall",
    "prdc/density": "density",
    "prdc/coverage": "coverage",
}


class Count(NamedTuple):
    """One measure in one world."""

    mean: float
    """Of the values over runs: what an interval should hold, unless that is known."""
    deviation: float
    now: float
    """Share of the intervals that do."""
    wide: float
    """Mean width of an interval by that of the central 95 % of the values: 1 is right."""
    before: float | None
    """The share as it was with the intervals before; None: there were none."""


def count(
    layout: Layout,
    effects: Effects,
    shift: float,
    runs: int,
    of_before: int = 0,
    reference: int = 300,
    seed: int = 0,
) -> dict[str, Count]:
    """Measure many runs of one world; a count for each of ``SHOWN``, without shift only for ``OF_FEATURES``.

    Drift is a root, whose mean over runs is not the drift, so that is computed.

    Args:
        of_before: in how many of the runs the intervals before are computed, too.
    """
    world = World(layout, effects, shift, reference, seed)
    values: dict[str, list[float]] = defaultdict(list)
    now: dict[str, list[Interval | None]] = defaultdict(list)
    before: dict[str, list[Interval | None]] = defaultdict(list)
    measured = METRICS if shift else {key: METRICS[key] for key in OF_FEATURES}
    for run in range(runs):
        evidence = world.evidence()
        for key, metric in measured.items():
            for measure in metric(evidence):
                name = "/".join(filter(None, [key, measure.name]))
                if name in SHOWN:
                    values[name].append(measure.value)
                    now[name].append(measure.interval)
        for name, interval in interval_before(evidence).items() if run < of_before else ():
            before[name].append(interval)
    truths = {"drift/beard": world.drift(MOVED), "drift/glasses": world.drift(0.0)}
    return {
        name: _counted(values[name], now[name], before.get(name), truths.get(name))
        for name in SHOWN
        if name in values
    }


def _counted(
    values: list[float],
    now: list[Interval | None],
    before: list[Interval | None] | None,
    truth: float | None,
) -> Count:
    found = torch.tensor(values, dtype=torch.float64)
    mean, deviation = float(found.mean()), float(found.std())
    truth = mean if truth is None else truth
    known = [ends for ends in now if ends is not None]
    width = sum(high - low for low, high in known) / max(len(known), 1)
    return Count(
        mean,
        deviation,
        _share(truth, now),
        width / max(2 * 1.96 * deviation, 1e-12),
        None if before is None else _share(truth, before),
    )


def _share(truth: float, intervals: list[Interval | None]) -> float:
    held = [ends is not None and ends[0] <= truth <= ends[1] for ends in intervals]
    return sum(held) / len(held)
