"""Runs that differ only in their seed: the mean of each measure, with its interval."""

import math
from collections import defaultdict
from collections.abc import Sequence

from sdg.report.runs import Run
from sdg.report.student import quantile

SEED = "seed"
_ROUNDING = 1e-9
"""Values that differ by less than this share of a value agree but for rounding."""


def over_seeds(runs: Sequence[Run]) -> list[Run]:
    """For runs that differ only in their seed, the mean of each measure that all have under one protocol.

    The intervals are Student's, 95 % over the seeds, where their values differ at all. Runs of other weights
    or pictures (``contents`` in ``config.yaml``) are not averaged; one without partners is left out, and so
    are those in :func:`repeated`.
    """
    draws = [same[0] for same in _draws(runs)]
    groups: dict[tuple, list[Run]] = defaultdict(list)
    for run in draws:
        groups[_but_seed(run), run.contents].append(run)
    return [_mean(settings, group) for (settings, _), group in groups.items() if len(group) > 1]


def repeated(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Runs that are one draw with another: of the same settings, files and seed. Each after the first."""
    return [(run, first) for first, *others in _draws(runs) for run in others]


def strangers(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Runs of the same settings but for the seed that were drawn by other files: each with the first such."""
    firsts: dict[tuple, Run] = {}
    for run in (same[0] for same in _draws(runs)):
        firsts.setdefault(_but_seed(run), run)
    return [
        (run, first)
        for run in (same[0] for same in _draws(runs))
        if run.contents != (first := firsts[_but_seed(run)]).contents
    ]


def _draws(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that have a seed, those of one draw together."""
    found: dict[tuple, list[Run]] = defaultdict(list)
    for run in runs:
        if SEED in run.settings:
            found[_but_seed(run), run.contents, run.settings[SEED]].append(run)
    return [*found.values()]


def _but_seed(run: Run) -> tuple:
    return tuple((name, value) for name, value in run.settings.items() if name != SEED)


def _mean(settings: tuple, group: Sequence[Run]) -> Run:
    first = group[0]
    measures = {}
    for name in first.measures:
        if all(name in run.measures and run.protocol(name) == first.protocol(name) for run in group):
            values = [run.measures[name]["value"] for run in group]
            middle = sum(values) / len(values)
            error = math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - 1) / len(values))
            reach = quantile(len(values) - 1) * error
            measures[name] = {"value": middle, "count": len(values)}
            if reach > _ROUNDING * abs(middle):  # equal values are no certainty
                measures[name]["interval"] = [middle - reach, middle + reach]
    name = f"mean of {len(group)} seeds: {', '.join(run.name for run in group)}"
    return Run(name, measures, first.protocols, dict(settings))
