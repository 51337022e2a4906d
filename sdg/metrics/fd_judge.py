"""Fréchet distance of judge features to fresh renders, beside the floor: what renders themselves score."""

import torch

from sdg.data.toyfaces import ATTRIBUTES
from sdg.metrics.evidence import Evidence
from sdg.metrics.frechet import Moments, frechet_distance
from sdg.metrics.measure import Measure


class JudgeFrechet:
    """Distance to renders that no network has seen, of samples and of other renders in the samples' place.

    Guided samples are compared with renders that have what their prompts mention. The floor is what as many
    faultless pictures score, each of a face of its own: samples that share a noise look more alike than that,
    so theirs can be above it even if each of them is faultless, and below it only by chance.

    Args:
        guided: measure the guided samples instead of the unguided ones.
        reference: number of renders to compare with, per sample.
        floors: number of render sets, each as large as the samples, whose mean distance is the floor.
    """

    def __init__(self, guided: bool = False, reference: int = 4, floors: int = 4):
        self.guided, self.reference, self.floors = guided, reference, floors
        self.protocol = (
            f"squared Fréchet distance of judge features of {'guided' if guided else 'unguided'} samples to "
            f"{reference} test renders for each{' that have what its prompt mentions' if guided else ''}; "
            f"floor: mean over {floors} sets of as many other renders in the samples' place"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        samples = evidence.guided if self.guided else evidence.unguided
        count = len(samples)
        mentioned = evidence.mentioned() if self.guided else torch.full((count, len(ATTRIBUTES)), -1)
        moments = Moments.of(samples.features)
        fresh = torch.arange(self.reference * count)
        renders = Moments.of(evidence.judge.faces(fresh, mentioned.repeat(self.reference, 1)).features)
        value = frechet_distance(moments, renders)
        others = len(fresh) + torch.arange(self.floors * count)
        floors = [evidence.judge.faces(numbers, mentioned).features for numbers in others.split(count)]
        floor = sum(frechet_distance(Moments.of(features), renders) for features in floors) / self.floors
        why = "the floor says what chance does"
        return [Measure("", value, count, beside=("floor", floor), unknown=why)]
