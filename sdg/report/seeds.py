"""Runs that differ only in their seed: the mean of each measure, with its interval."""

import math
from collections import defaultdict
from collections.abc import Sequence

from sdg.report.runs import Run

SEED = "seed"
_QUANTILES = (12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216)
"""Student's t at 97.5 %, for 1 to 9 degrees of freedom."""


def over_seeds(runs: Sequence[Run]) -> list[Run]:
    """For runs that differ only in their seed, the mean of each measure that all have under one protocol.

    The intervals are Student's, 95 % over the seeds; a run without such partners is left out.
    """
    groups: dict[tuple, list[Run]] = defaultdict(list)
    for run in runs:
        if SEED in run.settings:
            groups[tuple((k, v) for k, v in run.settings.items() if k != SEED)].append(run)
    return [_mean(settings, group) for settings, group in groups.items() if len(group) > 1]


def _mean(settings: tuple, group: Sequence[Run]) -> Run:
    first = group[0]
    measures = {}
    for name in first.measures:
        if all(name in run.measures and run.protocol(name) == first.protocol(name) for run in group):
            values = [run.measures[name]["value"] for run in group]
            middle = sum(values) / len(values)
            error = math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - 1) / len(values))
            reach = _quantile(len(values) - 1) * error
            ends = [middle - reach, middle + reach]
            measures[name] = {"value": middle, "count": len(values), "interval": ends}
    name = f"mean of {len(group)} seeds: {', '.join(run.name for run in group)}"
    return Run(name, measures, first.protocols, dict(settings))


def _quantile(freedom: int) -> float:
    """Student's t at 97.5 %; from 10 degrees of freedom on, the first terms of its expansion."""
    if freedom <= len(_QUANTILES):
        return _QUANTILES[freedom - 1]
    z = 1.959964
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
