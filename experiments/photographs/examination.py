"""How often a judge of photographs is right, on photographs whose labels are known."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.photographs.labelled import Labelled
from sdg.metrics.intervals import interval, mean_spread, share_interval
from sdg.metrics.units import Units
from sdg.networks.face_judge import FaceJudge
from sdg.pixels import from_bytes

_AT_ONCE = 32


class Finding(NamedTuple):
    """One number, the ends of its 95 % interval over pictures, and of how many pictures it is."""

    name: str
    value: float
    ends: tuple[float, float] | None
    count: int


def examine(judge: FaceJudge, labelled: Labelled) -> list[Finding]:
    """Shares of right values of every attribute that is labelled, and the error of ages in years.

    Labels are those whose values the judge has, whatever their column is called.
    """
    judgements, years = _read(judge, labelled)
    found = list[Finding]()
    for attribute, values in judge.attributes.items():
        named = [_value(label, values) for label in labelled.labels]
        rows = torch.tensor([number for number, value in enumerate(named) if value is not None])
        if not len(rows):
            continue
        truth = torch.tensor([values.index(value) for value in named if value is not None])
        right = judgements[attribute][rows].argmax(dim=1) == truth
        found.append(_share(f"{attribute} right", right))
        found += [
            _share(f"of {value}", right[truth == number])
            for number, value in enumerate(values)
            if (truth == number).any()
        ]
    ages = [float(row["age"]) for row in labelled.rows if row.get("age")]
    if len(ages) == len(years):
        apart = (years - torch.tensor(ages)).abs()
        ends = interval(float(apart.mean()), mean_spread(Units.alone(len(apart)), apart))
        found.append(Finding("age, mean error in years", float(apart.mean()), ends, len(apart)))
    return found


@torch.no_grad()
def _read(judge: FaceJudge, labelled: Labelled) -> tuple[dict[str, Tensor], Tensor]:
    """Logits (N, values) by attribute, and ages (N,) in years."""
    judge = judge.eval()
    parts: dict[str, list[Tensor]] = {name: [] for name in judge.attributes}
    years = []
    for pixels in labelled.batches(_AT_ONCE):
        images = from_bytes(pixels)
        for name, logits in judge(images).attributes.items():
            parts[name].append(logits)
        years.append(judge.years(images))
    return {name: torch.cat(logits) for name, logits in parts.items()}, torch.cat(years)


def _value(label: Mapping[str, str], values: Sequence[str]) -> str | None:
    return next((value for value in label.values() if value in values), None)


def _share(name: str, right: Tensor) -> Finding:
    share = float(right.double().mean())
    spread = mean_spread(Units.alone(len(right)), right.double())
    return Finding(name, share, share_interval(share, spread), len(right))
