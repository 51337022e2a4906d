"""Sight: what an encoder sees of a sentence at each noise level, and pushing each part where it is seen."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.diffusion.level import Level
from sdg.errors import SDGError

LIKE = 0.3
"""The least cosine at which a part of a sentence counts as one of the sentences that were measured."""


class Curve:
    """The weight of a part of a sentence: proportional to its visibility, with mean 1 over the timesteps.

    Guidance that is the same at every step and guidance with this weight thus push equally much in all. What
    is seen nowhere has weight 1 everywhere: there is nothing to follow.

    Args:
        levels: timesteps, ascending.
        seen: from 0, not at all, to 1, at these; linear in between, constant outside.
    """

    def __init__(self, levels: Sequence[int], seen: Sequence[float]):
        points = list(zip(levels, seen, strict=True))
        area = sum((t - s) * (a + b) / 2 for (s, a), (t, b) in pairwise(points))
        span = levels[-1] - levels[0]
        mean = area / span if span else seen[0]
        self.points = [(t, value / mean if mean > 0 else 1.0) for t, value in points]

    def __call__(self, t: float) -> float:
        """The weight at timestep ``t``."""
        before = [(s, w) for s, w in self.points if s <= t] or self.points[:1]
        after = [(s, w) for s, w in self.points if s >= t] or self.points[-1:]
        (s, low), (r, high) = before[-1], after[0]
        return low if r <= s else low + (high - low) * (t - s) / (r - s)


class Part(NamedTuple):
    """What a sentence says of what was measured: it is like one of the measured sentences."""

    vector: Tensor
    """(D,), its share of the sentence's embedding: ``size`` (``own`` less the mean of its opposites)."""
    curve: Curve
    """Where it is seen."""
    size: float
    own: Tensor
    """(D,), the measured sentence's embedding."""
    opposites: Tensor
    """(K, D), of those that it was told from; zeros where it has fewer than another of this encoder."""
    shares: Tensor
    """(K,), log of one over their number; minus infinity where there is none."""


class Sight:
    """What an encoder sees, sentence by sentence.

    Args:
        levels: timesteps, ascending.
        accuracies: by pair of sentences, how often they are told apart at each level, from 0.5 to 1.
        embeddings: of all these sentences, (D,) each, of length 1.
        mean: (D,), the embedding of no sentence in particular.

    Raises:
        SDGError: there are no pairs.
    """

    def __init__(
        self,
        levels: Sequence[int],
        accuracies: Mapping[tuple[str, str], Sequence[float]],
        embeddings: Mapping[str, Tensor],
        mean: Tensor,
    ):
        if not accuracies:
            raise SDGError(
                "a sight of nothing has no visibility: give pairs of sentences, or use a plain weight"
            )
        self.mean = mean
        self.names = list(dict.fromkeys(name for pair in accuracies for name in pair))
        # Averaged, then cut off at 0: where nothing is seen, accuracies are below a half as often as above.
        means = [
            [max(0.0, 2 * p - 1) for p in _mean([row for pair, row in accuracies.items() if name in pair])]
            for name in self.names
        ]
        self.curves = [Curve(levels, mean) for mean in means]
        self.whole = Curve(levels, _mean(means))
        self.own = torch.stack([embeddings[name] for name in self.names])
        self.opposites, self.shares = _opposites(self.names, embeddings, accuracies)
        apart = self.own - (self.shares.exp()[..., None] * self.opposites).sum(dim=1)
        self.lengths = apart.norm(dim=-1)
        self.directions = torch.nn.functional.normalize(apart, dim=-1)

    def parts(self, embedding: Tensor) -> list[Part]:
        """The parts of a sentence, given as its embedding, that say what measured sentences say.

        A direction is from the mean of a sentence's opposites, those that it was told from, to itself: what
        it has in common with them, the form of its words, is in no part. Matching pursuit (Mallat & Zhang
        1993): the most similar direction first, then the one most similar to what is left, and so on; sizes
        by least squares.
        """
        whole = embedding - self.mean
        found: list[int] = []
        left, sizes = whole, whole.new_empty(0)
        while len(found) < len(self.names):
            likeness = self.directions @ left / whole.norm().clamp(min=1e-12)
            best = int(likeness.argmax())
            if best in found or float(likeness[best]) < LIKE:
                break
            found.append(best)
            chosen = self.directions[found]
            sizes = torch.linalg.lstsq(chosen.T, whole[:, None]).solution[:, 0]
            left = whole - (sizes[:, None] * chosen).sum(dim=0)
        return [self.part(i, size) for size, i in zip(sizes, found, strict=True)]

    def part(self, number: int, length: Tensor) -> Part:
        """The part that is like the sentence of this number, of this length."""
        return Part(
            length * self.directions[number],
            self.curves[number],
            float(length / self.lengths[number]),
            self.own[number],
            self.opposites[number],
            self.shares[number],
        )


class SeenWords:
    """The prompts of B samples as targets whose parts are weighted by their visibility.

    Args:
        plain: (B, D), the targets as they would be without.
        parts: of each sample: the parts of its target, and their curves.
    """

    def __init__(self, plain: Tensor, parts: Sequence[Sequence[tuple[Tensor, Curve]]]):
        self.plain, self.curves = plain, [[curve for _, curve in each] for each in parts]
        self.parts = [
            torch.stack([part for part, _ in each]) if each else plain.new_zeros(0, plain.shape[1])
            for each in parts
        ]

    def at(self, level: Level) -> tuple[Tensor, Tensor]:
        """The targets (B, D) at a level, as long as the plain ones, and the factor (B,) left out for that.

        A term thus sees a change of direction only where several parts are seen unequally well; how well, its
        weight says. For a term that is linear in its target, the two together weight every part by its curve.
        """
        rows = []
        for target, parts, curves in zip(self.plain, self.parts, self.curves, strict=True):
            change = torch.tensor([curve(level.t) - 1 for curve in curves], dtype=target.dtype)
            rows.append(target + (change.to(target.device)[:, None] * parts).sum(dim=0))
        targets = torch.stack(rows)
        lengths, before = targets.norm(dim=-1), self.plain.norm(dim=-1)
        factor = torch.where(before > 0, lengths / before.clamp(min=1e-12), torch.ones_like(before))
        return targets / factor.clamp(min=1e-6)[:, None], factor

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        self.plain, kept = self.plain[rows], rows.tolist()
        self.parts, self.curves = [self.parts[i] for i in kept], [self.curves[i] for i in kept]


def _opposites(
    names: Sequence[str], embeddings: Mapping[str, Tensor], pairs: Mapping[tuple[str, str], Sequence[float]]
) -> tuple[Tensor, Tensor]:
    """Of each name, those that it was told from (N, K, D), and the log of their shares (N, K)."""
    others = [[b if a == name else a for a, b in pairs if name in (a, b)] for name in names]
    like = next(iter(embeddings.values()))
    found = like.new_zeros(len(names), max(map(len, others)), *like.shape)
    shares = like.new_full(found.shape[:2], -torch.inf)
    for row, each in enumerate(others):
        found[row, : len(each)] = torch.stack([embeddings[other] for other in each])
        shares[row, : len(each)] = -torch.tensor(float(len(each))).log()
    return found, shares


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]
