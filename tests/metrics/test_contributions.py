"""What each prompt and each noise contributes to an error is what the value changes by without them.

Intervals are made of contributions alone, and a wrong factor in one moves no value. So every metric whose
contributions are derived by hand is measured again without each prompt and each noise.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.coverage.study import Trusting
from experiments.coverage.worlds import WIDTH, Effects, Fresh, Layout, Passing, Values, World
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.distance import Frechet
from sdg.metrics.diversity import PairwiseDistance
from sdg.metrics.evidence import Evidence
from sdg.metrics.feature_drift import FeatureDrift
from sdg.metrics.kernel import GaussianDistance
from sdg.metrics.manifold import Manifold
from sdg.metrics.measure import Measure, Metric
from sdg.metrics.score import GuideScore

PROMPTS, NOISES = 10, 12
METRICS: dict[str, tuple[Metric, str]] = {
    "alignment": (TextAlignment(), "mentioned"),
    "spread": (Trusting(), "all"),
    "diversity": (PairwiseDistance("values"), ""),
    "fréchet": (Frechet("values"), ""),
    "gaussian": (GaussianDistance("values"), ""),
    "density": (Manifold("values"), "density"),
    "feature drift": (FeatureDrift("values"), ""),
    "score": (GuideScore(), "text"),
}


class Texts(Passing):
    """Reads every sentence as along the first feature."""

    width = WIDTH

    def texts(self, prompts: Sequence[str]) -> Tensor:
        return torch.eye(1, self.width).expand(len(prompts), self.width)


@pytest.fixture(scope="module")
def whole() -> Evidence:
    """A run in which prompts, noises and samples all matter, and guidance moves features."""
    world = World(Layout("small", 1, PROMPTS, NOISES), Effects(0.5, 0.5, 1.0), 0.8, 150, seed=5)
    found = world.evidence()
    samples = found.samples
    assert isinstance(samples, Values)
    generator = torch.Generator().manual_seed(6)
    samples.values[-NOISES:] = torch.randn(NOISES, 6, generator=generator)
    for record, value in zip(samples.records, samples.values[:, 1].tolist(), strict=True):
        record["scores"] = {"text": value} if record["prompt"] else {}
    return found


def only(whole: Evidence, keep: Callable[[dict], bool]) -> Evidence:
    """The run without some of its samples."""
    samples = whole.samples
    assert isinstance(samples, Values)
    rows = [row for row, record in enumerate(samples.records) if keep(record)]
    left = Values(samples.values[rows], [samples.records[row] for row in rows])
    found = Evidence(
        left, whole.mentions, lambda: whole.judge, Fresh({"values": Texts}, Path()), whole.reference
    )
    for name in ("guided", "unguided"):
        judged = getattr(whole, name)
        setattr(found, name, judged.only([i for i, record in enumerate(judged.records) if keep(record)]))
    return found


def value(metric: Metric, name: str, evidence: Evidence) -> Measure:
    (found,) = (each for each in metric(evidence) if each.name == name)
    return found


def lost(whole: Evidence, key: str, way: str, groups: Sequence) -> Tensor:
    """The change of the value without each of the groups, as that of a mean of contributions would be."""
    metric, name = METRICS[key]

    def without(group: object) -> float:
        return value(metric, name, only(whole, lambda record: drawn(record, way) != group)).value

    left = torch.tensor([without(group) for group in groups], dtype=torch.float64)
    return (left.mean() - left) * (len(left) - 1) / len(left)


def drawn(record: dict, way: str) -> object:
    return (record["seed"], record["index"]) if way == "noise" else record[way]


@pytest.mark.parametrize("key", METRICS)
def test_contributions_are_what_is_lost(whole: Evidence, key: str) -> None:
    metric, name = METRICS[key]
    spread = value(metric, name, only(whole, lambda record: True)).spreads[0]
    assert [part.grouping.ways for part in spread.single] == [("prompt",), ("noise",)]
    for part in spread.single:
        (way,) = part.grouping.ways
        change, sums = lost(whole, key, way, part.grouping.keys), part.sums - part.sums.mean()
        assert float(sums @ change / (sums.norm() * change.norm())) > 0.95, way
        assert float(sums @ change / (change @ change)) == pytest.approx(1, abs=0.15), way
