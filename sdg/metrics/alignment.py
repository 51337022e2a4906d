"""Text alignment: does the judge see what the prompt mentions?"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import ratio_spread, share_interval
from sdg.metrics.measure import Measure, measured


class TextAlignment:
    """Rates at which the judge reads the attribute values that prompts mention.

    ``mentioned`` is the share of mentions that are right, ``all`` the share of samples with every mention
    right, and ``all_of_k`` the same for prompts with k mentions; each attribute's share of right mentions
    follows, and that of each of its values, as ``expression/smiling``.
    """

    protocol = (
        "attribute values mentioned by the prompt against the judge's most probable values; "
        "unguided: the samples of the same noise against the same prompts; 95 % intervals over "
        "prompts and noises"
    )
    judges = True

    def __call__(self, evidence: Evidence) -> list[Measure]:
        mentioned = evidence.mentioned()
        guided, unguided = self.read(evidence, mentioned)
        names, right, asked = _tally(guided, mentioned, evidence.judge.attributes)
        _, by_chance, _ = _tally(unguided, mentioned, evidence.judge.attributes)
        total, units = asked.sum(dim=0), evidence.units
        rates, chance = (right.sum(dim=0) / total).tolist(), (by_chance.sum(dim=0) / total).tolist()
        return [
            measured(
                name,
                rates[i],
                int(total[i]),
                ratio_spread(units, right[:, i], asked[:, i]),
                beside=("unguided", chance[i]),
                ends_of=share_interval,
            )
            for i, name in enumerate(names)
            if total[i]
        ]

    def read(self, evidence: Evidence, mentioned: Tensor) -> tuple[Tensor, Tensor]:
        """The attributes (N, A) of guided samples and of the unguided ones with their noise, by the judge."""
        return evidence.guided.attributes, evidence.partners().attributes


def _tally(
    attributes: Tensor, mentioned: Tensor, values_of: Mapping[str, Sequence[str]]
) -> tuple[list[str], Tensor, Tensor]:
    """Names of R rates, and what each of N samples adds to their numerators and denominators, (N, R) each."""
    said = mentioned >= 0
    right = said & (attributes == mentioned)
    number, whole = said.sum(dim=1), (right == said).all(dim=1)
    of_k = torch.stack([number == k for k in range(1, len(values_of) + 1)], dim=1)
    values = [(i, v) for i, choices in enumerate(values_of.values()) for v in range(len(choices))]
    of_value = torch.stack([mentioned[:, i] == v for i, v in values], dim=1)
    right_value = of_value & right[:, [i for i, _ in values]]
    above = [right.sum(dim=1, keepdim=True), whole[:, None], whole[:, None] & of_k, right, right_value]
    below = [number[:, None], torch.ones_like(whole)[:, None], of_k, said, of_value]
    names = ["mentioned", "all", *(f"all_of_{k}" for k in range(1, len(values_of) + 1)), *values_of]
    names += [f"{name}/{value}" for name, choices in values_of.items() for value in choices]
    return names, torch.cat(above, dim=1).double(), torch.cat(below, dim=1).double()
