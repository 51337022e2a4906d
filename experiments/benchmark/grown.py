"""Which chains are timed as drawing grows, and what their times say."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.benchmark.report import relative

WAYS = GUIDED, UNGUIDED = "guided", "unguided"


class Chain(NamedTuple):
    """What is drawn at once."""

    pictures: int
    side: int
    steps: int

    def __str__(self) -> str:
        return f"{self.pictures} of {self.side} px in {self.steps}"


class Growth(NamedTuple):
    """A model's usual chain, and what becomes of each of its sizes in turn."""

    usual: Chain
    grown: Mapping[str, Sequence[int]]
    channels_last: bool

    def chains(self, size: str) -> list[Chain]:
        """Along one size."""
        return [self.usual._replace(**{size: value}) for value in self.grown[size]]


GROWTHS = {
    "toyfaces": Growth(
        Chain(1, 64, 10),
        {"pictures": (1, 2, 4, 8), "side": (32, 64, 128), "steps": (5, 10, 20, 50)},
        channels_last=False,
    ),
    "ffhq": Growth(
        Chain(1, 256, 1),
        {"pictures": (1, 2, 4), "side": (64, 128, 256), "steps": (1, 2, 3)},
        channels_last=True,
    ),
}
"""By model of experiments/cost: each in the memory format in which it is faster."""
Times = Mapping[str, Sequence[float]]
"""``chain, way`` -> seconds, round by round."""


def guided_of(times: Times, chain: Chain) -> tuple[float, float, float]:
    """The time of guided in that of unguided: median of the rounds, least, most."""
    return relative(list(times[f"{chain}, {GUIDED}"]), list(times[f"{chain}, {UNGUIDED}"]))


def one_of_four(times: Times, chain: Chain) -> tuple[float, float, float]:
    """The time of one guided picture in that of four at a time, likewise."""
    one, four = (times[f"{chain._replace(pictures=n)}, {GUIDED}"] for n in (1, 4))
    return relative(list(one), list(four))
