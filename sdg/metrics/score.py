"""The guide's own opinion: what guidance increased, to be read beside the held-out judge's."""

import torch

from sdg.errors import SDGError
from sdg.metrics.bootstrap import bootstrap
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure


class GuideScore:
    """Mean F_k of the guided samples for each term, scored by the encoder that guided them.

    A guide that is fooled scores high where the judge sees nothing; the judge is what counts.
    """

    protocol = "mean of `scores` in the manifest over guided samples; 95 % bootstrap interval over prompts"

    def __call__(self, evidence: Evidence) -> list[Measure]:
        targets = [
            [evidence.samples.records[row]["scores"] for row in rows] for rows in evidence.need_targets()
        ]
        if not targets[0][0]:
            raise SDGError("no guide has scored these samples: leave score out")
        measures = []
        for name in targets[0][0]:
            scores = [[each[name] for each in those] for those in targets]
            values = torch.tensor([score for those in scores for score in those], dtype=torch.float64)
            of_target = torch.tensor([sum(those) / len(those) for those in scores], dtype=torch.float64)
            intervals = bootstrap(lambda p, of=of_target: of[p].mean(dim=0, keepdim=True), len(of_target))
            measures.append(Measure(name, values.mean().item(), len(values), intervals[0]))
        return measures
