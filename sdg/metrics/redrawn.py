"""The second instrument: draw a face again with each value of an attribute, and see which looks like it.

The judge is a network that was trained on renders, and it is lenient with what generators smudge: half a
smile it calls a smile. Here every answer is held against the pixels themselves. Nothing is trained.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from sdg.data.toyfaces import ATTRIBUTES, render
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import Judged, unscale_nuisances
from sdg.pixels import from_bytes


def redrawn(pixels: Tensor, judged: Judged, columns: Tensor) -> Tensor:
    """The values of some attributes whose renders are closest to pictures, all else as the judge reads it.

    Renders that differ in one attribute agree wherever it does not show, so the rest of the picture, however
    unlike them, counts for nothing.

    Args:
        pixels: (N, 3, S, S) uint8.
        judged: the judge's readings of these pictures.
        columns: (N, 8) bool, which attributes are read anew; the others stay the judge's.

    Returns:
        (N, 8) int64, columns as ``ATTRIBUTES``.
    """
    pictures, nuisances = from_bytes(pixels), unscale_nuisances(judged.nuisances)
    found = judged.attributes.clone()
    for column, values in enumerate(ATTRIBUTES.values()):
        rows = columns[:, column].nonzero().flatten()
        apart = []
        for value in range(len(values)):
            attributes = judged.attributes[rows]
            attributes[:, column] = value
            faces = render(attributes, nuisances[rows], pixels.shape[-1])
            apart.append((faces - pictures[rows]).square().flatten(1).sum(dim=1))
        found[rows, column] = torch.stack(apart, dim=1).argmin(dim=1)
    return found


class RedrawnAlignment(TextAlignment):
    """:class:`~sdg.metrics.alignment.TextAlignment` by :func:`redrawn` instead of the judge's own answers."""

    protocol = (
        "attribute values mentioned by the prompt against those whose render, all else as the judge reads "
        "it, is closest to the picture in squared pixels; unguided: the samples of the same noise against "
        "the same prompts; 95 % intervals over prompts and noises"
    )

    def read(self, evidence: Evidence, mentioned: Tensor) -> tuple[Tensor, Tensor]:
        evidence.judge.toyfaces_side()
        said = mentioned >= 0
        guided = _read(evidence, evidence.rows, evidence.guided, said)
        partners = evidence.partner_numbers()
        any_said = said.any(dim=0).expand(len(evidence.unguided), -1)
        return guided, _read(evidence, evidence.unguided_rows, evidence.unguided, any_said)[partners]


def _read(evidence: Evidence, rows: Sequence[int], judged: Judged, columns: Tensor) -> Tensor:
    parts, start = [], 0
    for pixels in evidence.samples.batches(rows, evidence.judge.batch_size):
        here = range(start, start := start + len(pixels))
        parts.append(redrawn(pixels, judged.only(here), columns[here]))
    return torch.cat(parts)
