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


class Layout(NamedTuple):
    """Which samples share what."""

    name: str
    blocks: int
    """Parts with seeds of their own."""
    prompts: int
    """Of each part."""
    noises: int
    """Of each part; every prompt has all of them."""

    @property
    def keys(self) -> list[tuple[str, tuple[int, int]]]:
        """The prompt and the noise, as (seed, index), of every sample, prompt by prompt."""
        return [
            (f"{block}-{prompt}", (block, index))
            for block in range(self.blocks)
            for prompt in range(self.prompts)
            for index in range(self.noises)
        ]


class Effects(NamedTuple):
    """Standard deviations of what a reading is the sum of."""

    prompt: float
    noise: float
    own: float

    @property
    def total(self) -> float:
        return sum(each**2 for each in self) ** 0.5


class World:
    """Draws runs of one layout.

    Args:
        shift: by how much features lie beside the reference's.
    """

    def __init__(self, layout: Layout, effects: Effects, shift: float, reference: int, seed: int):
        self.layout, self.effects, self.shift, self.count = layout, effects, shift, reference
        self.generator = torch.Generator().manual_seed(seed)

    def readings(self, width: int) -> Tensor:
        """(N, width) float64: the sums of what prompt, noise and sample bring, each standard normal times its
        effect."""
        blocks, prompts, noises = self.layout[1:]
        shapes = (blocks, prompts, 1, width), (blocks, 1, noises, width), (blocks, prompts, noises, width)
        parts = [
            torch.randn(shape, generator=self.generator, dtype=torch.float64) * size
            for shape, size in zip(shapes, self.effects, strict=True)
        ]
        return (parts[0] + parts[1] + parts[2]).flatten(0, 2)

    def evidence(self) -> Evidence:
        """One run, with its unguided samples, and a reference."""
        keys = self.layout.keys
        noises = list(dict.fromkeys(noise for _, noise in keys))
        records = [_record(prompt, noise) for prompt, noise in keys]
        free = [_record(None, noise) for noise in noises]
        whole = self.effects.total
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
            seen = self.readings(len(ATTRIBUTES)) / self.effects.total
            nuisances = self.readings(len(NUISANCES))
        else:
            size = (count, len(ATTRIBUTES) + len(NUISANCES))
            both = torch.randn(size, generator=self.generator, dtype=torch.float64)
            seen, nuisances = both[:, : len(ATTRIBUTES)], both[:, len(ATTRIBUTES) :]
        attributes = (seen > 0).long()
        if guided:
            attributes[:, HAT] = (seen[:, HAT] > -1.2816).long()
            attributes[:, BEARD] = (seen[:, BEARD] > -0.6).long()  # moved, from 0.5 to 0.73
        return Judged(attributes, nuisances, torch.zeros(count, 1), records)


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


def _record(prompt: str | None, noise: tuple[int, int]) -> dict:
    return {"prompt": prompt, "seed": noise[0], "index": noise[1], "scale": float(prompt is not None)}


def _no_judge() -> JudgeReader:
    return JudgeReader(nn.Identity(), 1)
