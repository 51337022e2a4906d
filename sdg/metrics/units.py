"""How pictures were drawn: which of them share a prompt, a reference or a noise."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Grouping:
    """N things in G groups."""

    ways: tuple[str, ...]
    """What is shared in a group, such as ("prompt", "noise")."""
    keys: list[Hashable]
    """(G,) what names each group."""
    index: Tensor
    """(N,) int64, the group of every thing."""

    def sum(self, values: Tensor) -> Tensor:
        """The values (N, …) of each group together: (G, …)."""
        total = torch.zeros(len(self.keys), *values.shape[1:], dtype=values.dtype)
        return total.index_add_(0, self.index, values)


class Units:
    """The ways in which N things can be alike.

    Args:
        ways: for each, such as "prompt", what every one of the N was drawn with.
    """

    def __init__(self, ways: Mapping[str, Sequence[Hashable]]):
        self.ways = {name: list(labels) for name, labels in ways.items()}

    @classmethod
    def alone(cls, count: int, name: str = "picture") -> "Units":
        """Of things that share nothing."""
        return cls({name: range(count)})

    @cached_property
    def groupings(self) -> list[Grouping]:
        """By each way that varies, then by each two of them together, and so on."""
        varied = list[Grouping]()
        for name, labels in self.ways.items():
            found = _group((name,), labels)
            same = any(torch.equal(found.index, other.index) for other in varied)
            if len(found.keys) > 1 and not same:
                varied.append(found)
        names = [each.ways[0] for each in varied]
        together = [
            _group(some, list(zip(*(self.ways[name] for name in some), strict=True)))
            for count in range(2, len(names) + 1)
            for some in combinations(names, count)
        ]
        return [*varied, *together]

    def apart(self, rows: Tensor) -> Tensor:
        """(n, N) bool: whether each of ``rows`` (n,) shares nothing that varies with each of all."""
        apart = torch.ones(len(rows), len(next(iter(self.ways.values()))), dtype=torch.bool)
        for each in (one for one in self.groupings if len(one.ways) == 1):
            apart &= each.index[rows][:, None] != each.index
        return apart & bool(self.groupings)

    def only(self, rows: Sequence[int]) -> "Units":
        """Of some of the things, in that order."""
        return Units({name: [labels[row] for row in rows] for name, labels in self.ways.items()})


def _group(ways: tuple[str, ...], labels: Sequence[Hashable]) -> Grouping:
    numbers: dict[Hashable, int] = {}
    index = [numbers.setdefault(label, len(numbers)) for label in labels]
    return Grouping(ways, [*numbers], torch.tensor(index, dtype=torch.int64))
