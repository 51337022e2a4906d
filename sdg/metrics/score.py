"""The guide's own opinion: what guidance increased, to be read beside the held-out judge's."""

import torch

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import mean_spread
from sdg.metrics.measure import Measure, measured


class GuideScore:
    """Mean F_k of the guided samples for each term, scored by the encoder that guided them.

    A guide that is fooled scores high where the judge sees nothing; the judge is what counts.
    """

    protocol = "mean of `scores` in the manifest over guided samples; 95 % interval over targets and noises"

    def __call__(self, evidence: Evidence) -> list[Measure]:
        evidence.need_targets()
        scores = [evidence.samples.records[row]["scores"] for row in evidence.rows]
        if not scores[0]:
            raise SDGError("no guide has scored these samples: leave score out")
        units = evidence.units
        columns = {name: torch.tensor([each[name] for each in scores]).double() for name in scores[0]}
        return [
            measured(name, values.mean().item(), len(values), mean_spread(units, values))
            for name, values in columns.items()
        ]
