"""What chance alone moves: in each pair of one noise, it is drawn by lot which of the two was guided."""

import torch
from torch import Tensor

from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Part, Spread
from sdg.metrics.units import Grouping
from sdg.randomness import keyed_generator


def lots(evidence: Evidence, count: int) -> Tensor:
    """(P, R, n) float64 for R draws and the n samples of each target: -1 where a pair is exchanged, else 1.

    Samples of one noise have the same unguided partner, so their lot is one.
    """
    drawn = torch.rand(count, len(evidence.unguided_rows), generator=keyed_generator("drift")) < 0.5
    signs = torch.where(drawn, -1.0, 1.0).double()
    return evidence.by_target(signs[:, evidence.partner_numbers()].T).transpose(1, 2)


def spread_of(exchanged: Tensor) -> Spread:
    """The spread of an estimate that is what it would be after R exchanges, (R,), where nothing has moved.

    It holds what a derivative does not see: products of two samples' errors.
    """
    count = len(exchanged)
    grouping = Grouping(("exchange",), [*range(count)], torch.arange(count))
    return Spread([Part(grouping, (exchanged - exchanged.mean()) / count**0.5)])
