"""The intervals as they were before: percentile bootstraps over targets or over pictures."""

import torch

from experiments.coverage.worlds import HAT
from sdg.metrics.bootstrap import bootstrap
from sdg.metrics.evidence import Evidence
from sdg.metrics.frechet import Moments, frechet_distance
from sdg.metrics.intervals import Interval
from sdg.metrics.manifold import prdc

GROUPS = 25


def interval_before(evidence: Evidence) -> dict[str, Interval | None]:
    """By the names of the measures; kernel distance is left out, as what it estimated was another."""
    targets = list(evidence.targets.values())
    found: dict[str, Interval | None] = {}
    right = evidence.by_target((evidence.guided.attributes[:, HAT] == 1).double()).mean(dim=1)
    found["alignment/mentioned"] = bootstrap(lambda p: right[p].mean()[None], len(right), draws=200)[0]
    guided, free = (evidence.by_target(each.nuisances) for each in (evidence.guided, evidence.partners()))

    def ratio(p: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        above, below = (each[p][:, n].std(dim=1).mean() for each in (guided, free))
        return (above / below)[None]

    found["spread/all"] = bootstrap(ratio, *guided.shape[:2], draws=200)[0]
    x = evidence.features.features("values", evidence.samples, evidence.rows)
    each = torch.stack([torch.pdist(x[rows]).double().square().mean() for rows in targets])
    found["diversity"] = bootstrap(lambda p: each[p].mean()[None], len(each), draws=200)[0]
    found["fréchet"] = _jackknife(evidence, x, targets)
    y = evidence.features.features(
        "values", evidence.reference_pictures, range(len(evidence.reference_pictures))
    )
    counted = prdc(x, y)
    for name in ("precision", "recall", "density", "coverage"):
        own: torch.Tensor = getattr(counted, name)
        found[f"prdc/{name}"] = bootstrap(lambda i, own=own: own[i].mean()[None], len(own), draws=200)[0]
    return found


def _jackknife(evidence: Evidence, x: torch.Tensor, targets: list[list[int]]) -> Interval:
    reference, whole = evidence.reference_moments("values"), Moments.of(x)
    value = frechet_distance(whole, reference)
    left = []
    for i in range(min(GROUPS, len(targets))):
        part = Moments.of(x[[row for rows in targets[i::GROUPS] for row in rows]])
        rest = Moments(whole.count - part.count, whole.total - part.total, whole.outer - part.outer)
        left.append(frechet_distance(rest, reference))
    spread = torch.tensor(left, dtype=torch.float64)
    error = float(((spread - spread.mean()).square().sum() * (len(left) - 1) / len(left)).sqrt())
    return value - 1.96 * error, value + 1.96 * error
