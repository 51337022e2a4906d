"""Words held against their opposites: above all against those that a picture looks like."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdg.diffusion.level import Level
from sdg.guidance.sight import Part, SeenWords, Sight


@dataclass(frozen=True)
class Held:
    r"""What B prompts say, each part against its opposites.

    .. math::

        F(u) = u \cdot r + \sum_p s_p (u \cdot e_p
               - \frac1\tau \log \frac1K \sum_k \exp(\tau\, u \cdot o_{pk}))

    for the picture's embedding u, of length 1. Its gradient leads away from the opposites in the shares of a
    softmax, so from a smile where the picture smiles, and from a frown where it frowns. With the mean of all
    opposites instead (τ = 0), what lies between two of them, as a neutral face does, would be contrasted with
    all but itself.
    """

    rest: Tensor
    """r (B, D): what is in no part."""
    sizes: Tensor
    """s (B, P); 0 beyond a prompt's own parts."""
    own: Tensor
    """e (B, P, D), the measured sentences that the parts are like, of length 1."""
    opposites: Tensor
    """o (B, P, K, D), the sentences that these were told from; K is the most that any sentence has."""
    shares: Tensor
    """log 1/K (B, P, K); minus infinity beyond a sentence's own opposites."""
    sharpness: float
    """τ, as a CLIP's logit scale; 0: the mean of all opposites."""

    def score(self, unit: Tensor) -> Tensor:
        """F, (B,), of embeddings (B, D) of length 1."""
        total = (unit * self.rest).sum(dim=-1)
        # In turn: a neighbour's longer prompt adds nothing but zeros.
        for part in range(self.sizes.shape[1]):
            own = (unit * self.own[:, part]).sum(dim=-1)
            others = (unit[:, None] * self.opposites[:, part]).sum(dim=-1)
            shares = self.shares[:, part]
            if self.sharpness:
                other = torch.logsumexp(self.sharpness * others + shares, dim=-1) / self.sharpness
            else:
                other = (shares.exp() * others).sum(dim=-1)
            total = total + self.sizes[:, part] * (own - other)
        return total

    def vectors(self) -> Tensor:
        """(B, D), for terms that compare with a vector: every part less the mean of all of its opposites."""
        others = (self.shares.exp()[..., None] * self.opposites).sum(dim=2)
        return self.rest + (self.sizes[..., None] * (self.own - others)).sum(dim=1)

    def __getitem__(self, rows: Tensor) -> "Held":
        """Those of these samples, (N,) int64."""
        return Held(
            self.rest[rows],
            self.sizes[rows],
            self.own[rows],
            self.opposites[rows],
            self.shares[rows],
            self.sharpness,
        )


class SeenHeld:
    """Held words whose parts are weighted by their visibility.

    Args:
        plain: as they would be without.
        words: what of them is not held, and, in the order of ``plain``'s parts, where each is seen.
    """

    def __init__(self, plain: Held, words: SeenWords):
        self.plain, self.words = plain, words

    def at(self, level: Level) -> tuple[Held, Tensor]:
        """The words at a level, and a factor of 1 for each sample: all is in the words."""
        rest, factor = self.words.at(level)
        weights = torch.zeros_like(self.plain.sizes)
        for row, curves in enumerate(self.words.curves):
            for part, curve in enumerate(curves):
                weights[row, part] = curve(level.t)
        words = replace(self.plain, rest=factor[:, None] * rest, sizes=weights * self.plain.sizes)
        return words, torch.ones_like(factor)

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        self.plain = self.plain[rows]
        self.words.keep(rows)


def hold(rest: Tensor, parts: Sequence[Sequence[tuple[float, Part]]], sight: Sight, sharpness: float) -> Held:
    """What B prompts say: ``rest`` (B, D), and their parts, each with its weight in the prompt."""
    none = sight.part(0, rest.new_zeros(()))
    longest = max(1, *map(len, parts))
    rows = [[*own, *[(0.0, none)] * (longest - len(own))] for own in parts]

    def rows_of(name: str) -> Tensor:
        return torch.stack([torch.stack([getattr(part, name) for _, part in row]) for row in rows])

    sizes = rest.new_tensor([[weight * part.size for weight, part in row] for row in rows])
    return Held(rest, sizes, rows_of("own"), rows_of("opposites"), rows_of("shares"), sharpness)
