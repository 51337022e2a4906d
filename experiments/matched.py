"""How far guided samples are from renders that show what their prompts mention."""

import torch

from sdg.metrics.evidence import Evidence
from sdg.metrics.kernel import squared_distance
from sdg.metrics.measure import Measure

DISTANCE = "+metrics.distance={_target_: experiments.matched.MatchedKernel}"
"""A setting of ``evaluate.py``."""


class MatchedKernel:
    """Kernel distance between guided samples and renders that show what their prompts mention.

    Args:
        reference: renders per sample.
    """

    def __init__(self, reference: int = 8):
        self.reference = reference
        self.protocol = (
            f"squared MMD of judge features of guided samples and of {reference} test renders for each that "
            "have what its prompt mentions, kernel (x·y/D + 1)^3, unbiased, over all pairs of "
            "samples that share neither prompt nor noise, so that renders would score 0; 95 % interval over "
            "prompts, noises and renders"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        mentioned = evidence.mentioned().repeat(self.reference, 1)
        renders = evidence.judge.faces(torch.arange(len(mentioned)), mentioned).features
        return [squared_distance(evidence.guided.features, renders, evidence.units)]
