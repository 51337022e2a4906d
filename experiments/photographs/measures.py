"""Measures of photographs of faces that need a judge of photographs: identity, and how common values are."""

from collections.abc import Sequence

import torch
from torch import Tensor

from experiments.references import OfSamples, palette, pixels_of, references_of
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import mean_spread, share_interval
from sdg.metrics.judge_features import OUTPUTS
from sdg.metrics.judged import Judged
from sdg.metrics.measure import Measure, measured

SAME = 0.6
"""Distance of two embeddings below which the judge's authors take two faces for one person's."""


class Kept(OfSamples):
    """What guided samples keep of the person in their reference, and of its colours."""

    protocol = (
        "identity: Euclidean distance of the judge's embedding of identity to the reference's, 0 for a copy; "
        f"same person: share below {SAME}; attributes: share of age group, sex and smile that are read as in "
        "the reference; palette: share of the pixels that would have to change colour, in 4³ bins; "
        "unguided: the samples of the same noise; 95 % intervals over targets and noises"
    )

    def values(self, evidence: Evidence, rows: Sequence[int], judged: Judged) -> dict[str, Tensor]:
        paths = references_of(evidence)
        different = sorted(set(paths))
        place = [different.index(path) for path in paths]
        pictures = torch.cat(list(evidence.samples.batches(rows, evidence.judge.batch_size)))
        shown = pixels_of(different, pictures.shape[-1])
        wanted = evidence.judge.read([shown]).only(place)
        away = (judged.features - wanted.features).norm(dim=1)
        return {
            "identity": away,
            "same person": away < SAME,
            "attributes": (judged.attributes == wanted.attributes).double().mean(dim=1),
            "palette": (palette(pictures) - palette(shown)[place]).abs().sum(dim=1) / 2,
        }


class Shares:
    """How common each value is among unguided samples, beside the photographs that they are held against."""

    protocol = (
        "share of each value among unguided samples, as the judge reads it; photographs: the same among the "
        "reference's pictures; 95 % intervals over noises"
    )
    judges = compares = True

    def __call__(self, evidence: Evidence) -> list[Measure]:
        own, units = evidence.unguided.attributes, evidence.units_of(evidence.unguided_rows)
        others = shares_of(evidence)
        found = []
        for column, (name, values) in zip(own.T, evidence.judge.attributes.items(), strict=True):
            for i, value in enumerate(values):
                has = (column == i).double()
                share, spread = float(has.mean()), mean_spread(units, has)
                beside = ("photographs", others[name][i])
                found.append(
                    measured(
                        f"{name}/{value}", share, len(has), spread, beside=beside, ends_of=share_interval
                    )
                )
        return found


def shares_of(evidence: Evidence) -> dict[str, list[float]]:
    """Attribute -> the share of each of its values in the pictures of the reference, as the judge reads them.

    A value that none has counts as half of a picture: what is rare is not impossible.
    """
    pictures = evidence.reference_pictures
    said = evidence.features.features(OUTPUTS, pictures, range(len(pictures)))
    read = evidence.judge.judged(said).attributes
    return {
        name: [max(0.5, float((column == i).sum())) / len(column) for i in range(len(values))]
        for column, (name, values) in zip(read.T, evidence.judge.attributes.items(), strict=True)
    }
