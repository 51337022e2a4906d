"""The guide's own opinion: what guidance climbed, to be read beside the held-out judge's."""

import torch

from sdg.metrics.bootstrap import bootstrap
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure


class GuideScore:
    """Mean F_k of the guided samples, term by term, by the encoder that guided them.

    A guide that is fooled scores high where the judge sees nothing; the judge is what counts.
    """

    protocol = "mean of `scores` in the manifest over guided samples; 95 % bootstrap interval over prompts"

    def __call__(self, evidence: Evidence) -> list[Measure]:
        evidence.need_guided()
        records = evidence.guided.records
        measures = []
        for name in records[0]["scores"]:
            scores = torch.tensor([record["scores"][name] for record in records], dtype=torch.float64)
            of_prompt = evidence.by_prompt(scores).mean(dim=1)
            intervals = bootstrap(lambda p, of=of_prompt: of[p].mean(dim=0, keepdim=True), len(of_prompt))
            measures.append(Measure(name, scores.mean().item(), len(scores), intervals[0]))
        return measures
