"""Worlds in which the truth is known: a sample is the sum of what its prompt, its noise and itself bring."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.metrics.evidence import Evidence
from sdg.metrics.extractor import Extractor
from sdg.metrics.frechet import Moments
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import Pictures
from sdg.metrics.reader import FeatureReader

WIDTH = 6
"""Features of a sample."""


class Key(NamedTuple):
    """What a sample was drawn with."""

    prompt: str | None
    reference: str | None
    noise: tuple[int, int]
    """Seed and index."""


class Layout(NamedTuple):
    """Which samples share what."""

    name: str
    blocks: int
    """Parts with seeds of their own."""
    prompts: int
    """Of each part."""
    noises: int
    """Of each part; every target has all of them."""
    references: int = 1
    """Of each part; every prompt has all of them. One is none: it is not told from the prompt."""

    @property
    def keys(self) -> list["Key"]:
        """What every sample was drawn with, prompt by prompt."""
        return [
            Key(
                f"{block}-{prompt}",
                f"{block}-{reference}" if self.references > 1 else None,
                (block, index),
            )
            for block in range(self.blocks)
            for prompt in range(self.prompts)
            for reference in range(self.references)
            for index in range(self.noises)
        ]


class Effects(NamedTuple):
    """Standard deviations of what a reading is the sum of."""

    prompt: float
    """And of what a reference brings, where there are several."""
    noise: float
    own: float


class World:
    """Draws runs of one layout.

    Args:
        shift: by how much features lie beside the reference's.
    """

    def __init__(self, layout: Layout, effects: Effects, shift: float, reference: int, seed: int):
        self.layout, self.effects, self.shift, self.count = layout, effects, shift, reference
        self.generator = torch.Generator().manual_seed(seed)

    def readings(self, width: int) -> Tensor:
        """(N, width) float64: the sums of what prompt, reference, noise and sample bring, each a standard
        normal number times its effect."""
        blocks, prompts, noises, references = self.layout[1:]
        prompt, noise, own = self.effects
        shapes = [(prompt, (prompts, 1, 1)), (noise, (1, 1, noises)), (own, (prompts, references, noises))]
        if references > 1:
            shapes.insert(1, (prompt, (1, references, 1)))
        total = torch.zeros(blocks, prompts, references, noises, width, dtype=torch.float64)
        for size, shape in shapes:
            total += torch.randn(blocks, *shape, width, generator=self.generator, dtype=torch.float64) * size
        return total.flatten(0, 3)

    @property
    def total(self) -> float:
        """The standard deviation of a reading."""
        targets = 2 if self.layout.references > 1 else 1
        prompt, noise, own = self.effects
        return float((targets * prompt**2 + noise**2 + own**2) ** 0.5)

    def drift(self, least: float) -> float:
        """That of what is shown where a reading, by its deviation, is above ``least``; unguided, by half.

        It is the root of the mean over targets of (share - ½)², a share being that among a target's samples.
        """
        target = (self.total**2 - self.effects.noise**2 - self.effects.own**2) ** 0.5 / self.total
        brought = torch.linspace(-8, 8, 4001, dtype=torch.float64)
        weight = torch.exp(-brought.square() / 2)
        rest = max((1 - target**2) ** 0.5, 1e-9)
        shares = torch.special.ndtr((target * brought - least) / rest)
        return float((((shares - 0.5).square() * weight).sum() / weight.sum()).sqrt())

    def evidence(self) -> Evidence:
        """One run, with its unguided samples, and a reference."""
        keys = self.layout.keys
        noises = list(dict.fromkeys(key.noise for key in keys))
        records = [_record(key) for key in keys]
        free = [_record(Key(None, None, noise)) for noise in noises]
        whole = self.total
        features = self.readings(WIDTH) + self.shift
        reference = torch.randn(self.count, WIDTH, generator=self.generator, dtype=torch.float64) * whole
        beside = torch.zeros(len(noises), WIDTH, dtype=torch.float64)
        samples = Values(torch.cat([features, beside]).float(), [*records, *free])
        reader = Fresh({"values": Passing}, ".")
        found = Evidence(samples, _Hats(records), _no_judge, reader, Values(reference.float()))
        found.guided = self._judged(records)
        found.unguided = self._judged(free, guided=False)
        return found

    def _judged(self, records: Sequence[dict], guided: bool = True) -> Judged:
        """Attributes are 1 where a reading is high: hats for nine of ten guided samples, else for half."""
        count = len(records)
        if guided:
            seen = self.readings(len(ATTRIBUTES)) / self.total
            nuisances = self.readings(len(NUISANCES))
        else:
            size = (count, len(ATTRIBUTES) + len(NUISANCES))
            both = torch.randn(size, generator=self.generator, dtype=torch.float64)
            seen, nuisances = both[:, : len(ATTRIBUTES)], both[:, len(ATTRIBUTES) :]
        attributes = (seen > 0).long()
        if guided:
            attributes[:, HAT] = (seen[:, HAT] > -1.2816).long()
            attributes[:, BEARD] = (seen[:, BEARD] > MOVED).long()
        return Judged(attributes, nuisances, torch.zeros(count, 1), records)


MOVED = -0.6
"""Beards are shown above this reading: 73 % where there were 50 %."""
HAT, BEARD = (list(ATTRIBUTES).index(name) for name in ("hat", "beard"))


class Values(Pictures):
    """Pictures that are their own features."""

    source, size = "memory", (0, 0)

    def __init__(self, values: Tensor, records: Sequence[dict] = ()):
        self.values, self.records = values, records

    def __len__(self) -> int:
        return len(self.values)

    def batches(self, rows: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        yield self.values[list(rows)]

    @property
    def digest(self) -> str:
        raise NotImplementedError("nothing of these is kept")


class Fresh(FeatureReader):
    """Keeps nothing in files."""

    def reference_moments(self, name: str, reference: Pictures) -> Moments:
        return self.moments(name, reference, range(len(reference)))


class Passing(Extractor):
    """Takes pictures for their own features."""

    kept = False

    def __init__(self) -> None:
        super().__init__("the values themselves", "none")

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures


class _Hats(Mentions):
    """Every prompt asks for a hat."""

    def __init__(self, records: Sequence[dict]):
        super().__init__(None)
        row = [-1] * len(ATTRIBUTES)
        row[HAT] = 1
        self.path, self.rows = "memory", {record["prompt"]: row for record in records}


def _record(key: Key) -> dict:
    prompt, reference, (seed, index) = key
    return {
        **{"prompt": prompt, "reference": reference, "seed": seed, "index": index},
        "scale": float(prompt is not None),
    }


def _no_judge() -> JudgeReader:
    return JudgeReader(nn.Identity(), 1)
