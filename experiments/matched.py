"""How far guided samples are from renders: from those that show what is mentioned, and from their own."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sdg.data.toyfaces import render
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Interval, interval, mean_spread, share_interval
from sdg.metrics.judged import Judged, unscale_nuisances
from sdg.metrics.kernel import squared_distance
from sdg.metrics.measure import Measure, measured
from sdg.pixels import from_bytes

DISTANCE = "+metrics.distance={_target_: experiments.matched.MatchedKernel}"
"""A setting of ``evaluate.py``."""
QUALITY = ["metrics=[alignment,diversity_judge]", DISTANCE]
"""Settings of it: what is asked for, how samples of a prompt differ, and how far they are from renders."""
COLUMNS = {
    "alignment/mentioned": ("mentioned right", ".3g"),
    "alignment/all": ("all right", ".3g"),
    "diversity_judge": ("diversity", ".3g"),
    "distance": ("distance", ".3g"),
}
"""Their titles and formats in a table."""


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


TORN = "+metrics.torn={_target_: experiments.matched.Redrawn}"
"""The same for this one."""


SOUND = 30.0
"""Levels of 255: what differs by more looks torn. Samples without guidance differ by 10, hardly one by 20."""


class Redrawn:
    """How far pictures are from the faces that the judge reads in them, drawn again.

    A torn picture is like no face, though the judge, which must answer, may read in it what was asked for.
    ``right`` is the share of what prompts mention that is right, with nothing right in a torn picture.
    """

    protocol = (
        "root of the mean squared difference, in levels of 255, between a picture and the toy face with the "
        "attributes and nuisances that the judge reads in it, mean over pictures; right: the mean share of "
        f"what a prompt mentions that the judge reads, 0 in a picture that differs by more than {SOUND:g}; "
        "unguided: the same of the samples of the same noise; 95 % intervals over prompts and noises"
    )
    judges = True

    def __call__(self, evidence: Evidence) -> list[Measure]:
        mentioned, partners = evidence.mentioned(), evidence.partner_numbers()
        guided = apart(evidence, evidence.rows, evidence.guided)
        unguided = apart(evidence, evidence.unguided_rows, evidence.unguided)[partners]
        said = mentioned >= 0
        right = [
            (said & (judged.attributes == mentioned)).sum(dim=1) / said.sum(dim=1) * (away <= SOUND)
            for judged, away in ((evidence.guided, guided), (evidence.partners(), unguided))
        ]
        return [
            mean_of(evidence, "", guided, unguided),
            mean_of(evidence, "right", *right, ends_of=share_interval),
        ]


def mean_of(
    evidence: Evidence,
    name: str,
    own: Tensor,
    other: Tensor | None = None,
    ends_of: Callable[..., Interval | None] = interval,
) -> Measure:
    """The mean of one value (N,) for each guided sample, beside that of their unguided partners, if given."""
    own, beside = own.double(), None if other is None else ("unguided", float(other.double().mean()))
    spread = mean_spread(evidence.units, own)
    return measured(name, float(own.mean()), len(own), spread, beside=beside, ends_of=ends_of)


def apart(evidence: Evidence, rows: Sequence[int], judged: Judged) -> Tensor:
    """(N,) the difference of each picture of some rows from what is read in it."""
    faces = render(judged.attributes, unscale_nuisances(judged.nuisances), evidence.judge.toyfaces_side())
    pixels = torch.cat(list(evidence.samples.batches(rows, evidence.judge.batch_size)))
    return 127.5 * (faces - from_bytes(pixels)).double().square().mean(dim=(1, 2, 3)).sqrt()
