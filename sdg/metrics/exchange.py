"""What chance alone moves: in each pair of one noise, it is drawn by lot which of the two was guided."""

import torch
from torch import Tensor

from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import Part, Spread
from sdg.metrics.units import Grouping
from sdg.randomness import keyed_generator

EXCHANGES = 128
"""How often lots are drawn; a power of 2, for :func:`balanced`."""


def lots(evidence: Evidence) -> Tensor:
    """(P, R, n) float64 for R = ``EXCHANGES`` and the n samples of each target: -1 where exchanged, else 1.

    Samples of one noise have the same unguided partner, so their lot is one. The lots of a target are
    balanced if there are at most R: then means over R draws of products of two lots are exact, those of seven
    samples or fewer run through all that can be drawn, and another's draws give nearly the same.
    """
    generator = keyed_generator("drift")
    places = torch.tensor(evidence.partner_numbers()).unflatten(0, (len(evidence.targets), -1))
    columns, drawn = balanced(min(places.shape[1], EXCHANGES)), dict[int, Tensor]()
    for target in places.tolist():
        if not (fresh := [place for place in target if place not in drawn]):
            continue
        if len(target) > EXCHANGES:
            signs = torch.randint(2, (EXCHANGES, len(fresh)), generator=generator).double() * 2 - 1
        else:
            # In another order for each target of its own noises, which have nothing to do with each other.
            signs = columns[torch.randperm(EXCHANGES, generator=generator)][:, : len(fresh)]
        drawn |= dict(zip(fresh, signs.T, strict=True))
    every = torch.stack([drawn[place] for place in range(len(evidence.unguided_rows))])
    return every[places].transpose(1, 2)


def balanced(count: int) -> Tensor:
    """(``EXCHANGES``, count) float64 of 1 and -1: columns of a Hadamard matrix, so orthogonal to each other.

    The first seven of 128 rows take all of their 2⁷ combinations.
    """
    bits = EXCHANGES.bit_length() - 1
    powers = [1 << bit for bit in range(bits)]
    numbers = [*powers, *(number for number in range(EXCHANGES) if number not in powers)][:count]
    both = torch.arange(EXCHANGES)[:, None] & torch.tensor(numbers)
    parity = torch.stack([both >> bit & 1 for bit in range(bits)]).sum(dim=0) % 2
    return 1 - 2 * parity.double()


def at_least(own: Spread, exchanged: Tensor) -> tuple[Spread, ...]:
    """The spreads of an estimated square: by its samples, but no less than where nothing has moved.

    Products of two samples' errors are a part of every square's error. A derivative sees them where the
    estimate is far enough from 0, and twice there, as it is one at the estimate; near 0 it sees nothing.

    Args:
        exchanged: what the estimate would be after R exchanges, (R,), but for a constant.
    """
    null = _spread_of(exchanged)
    if own.variance == 0:
        return own, null
    return (own.scaled(max(1.0, null.variance / own.variance) ** 0.5),)


def _spread_of(exchanged: Tensor) -> Spread:
    count = len(exchanged)
    grouping = Grouping(("exchange",), [*range(count)], torch.arange(count))
    return Spread([Part(grouping, (exchanged - exchanged.mean()) / count**0.5)])
