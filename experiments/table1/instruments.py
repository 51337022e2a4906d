"""Metrics of this experiment only, in addition to those of ``conf/metrics``."""

from functools import partial

import torch

from experiments.baselines.measures import faithful
from sdg.metrics.distance import Frechet
from sdg.metrics.evidence import Evidence
from sdg.metrics.frechet import Moments, frechet_distance
from sdg.metrics.measure import Measure

GROUPS = 25


class FrechetByTargets(Frechet):
    """The same distance with a jackknife interval: targets are left out in up to 25 groups.

    Nothing is drawn twice, so the distance does not grow as it would in a bootstrap. If too few samples are
    left without a group, there is no interval.

    References:
        Efron & Stein, "The jackknife estimate of variance", 1981.
    """

    def __init__(self, features: str):
        super().__init__(features)
        self.protocol += (
            f"; interval: value ± 1.96 standard errors of a jackknife over {GROUPS} groups of targets"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        (name,), reader, samples = self.features, evidence.features, evidence.samples
        reader.features(name, samples, range(len(samples)))  # one pass, shared by all that follows
        (measure,) = super().__call__(evidence)
        targets = list(evidence.targets.values())
        groups = [
            [row for own in targets[i::GROUPS] for row in own] for i in range(min(GROUPS, len(targets)))
        ]
        parts = [reader.moments(name, samples, rows) for rows in groups]
        total = sum(parts[1:], parts[0]) if parts else None
        if total is None or len(parts) < 2:
            return [measure]
        rests = [_without(total, part) for part in parts]
        if min(rest.count for rest in rests) <= len(total.total):
            return [measure]
        distance = partial(frechet_distance, b=evidence.reference_moments(name))
        left = torch.tensor([distance(rest) for rest in rests], dtype=torch.float64)
        error = ((left - left.mean()).square().sum() * (len(left) - 1) / len(left)).sqrt().item()
        interval = measure.value - 1.96 * error, measure.value + 1.96 * error
        return [Measure(measure.name, measure.value, measure.count, interval)]


class Kept:
    """Attributes of the targeted toy face that the judge reads off the samples."""

    protocol = (
        "share of the reference's eight true attributes that the judge reads off the sample; 95 % bootstrap "
        "intervals over targets"
    )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        measure = faithful(evidence)["attributes kept"]
        return [Measure("", measure.value, measure.count, measure.interval)]


def _without(whole: Moments, part: Moments) -> Moments:
    return Moments(whole.count - part.count, whole.total - part.total, whole.outer - part.outer)
