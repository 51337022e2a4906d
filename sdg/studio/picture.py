"""What a studio gives: finished pictures, and glimpses of pictures in the making."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from torch import Tensor

from sdg.files import write_whole
from sdg.pixels import to_bytes
from sdg.report.record import label
from sdg.sampling.method import Sample, View
from sdg.sampling.plan import PlanEntry
from sdg.sampling.provenance import Origin, png


class Picture:
    """A finished picture, and how it was made. Notebooks show it.

    Args:
        command: the line for a shell that draws it, among others.
    """

    def __init__(self, sample: Sample, origin: Origin, command: str):
        self.entry, self.record, self.origin, self.command = sample.entry, sample.record, origin, command
        self.png = png(sample.image, origin.text())
        """The file, with its settings inside."""
        self.image = Image.fromarray(sample.image.permute(1, 2, 0).contiguous().numpy())

    @property
    def prompt(self) -> str | None:
        """The sentence it was guided by."""
        return self.entry.prompt

    @property
    def reference(self) -> str | None:
        """Path of the picture it was guided by."""
        return self.entry.reference

    @property
    def seed(self) -> int:
        """With the index, the key of its noise."""
        return self.entry.seed

    @property
    def index(self) -> int:
        """Its number among those of the seed."""
        return self.entry.index

    @property
    def scores(self) -> dict[str, float]:
        """F_k of each term for the finished picture."""
        return self.record["scores"]

    @property
    def trace(self) -> dict | None:
        """Numbers of every step, by name."""
        return self.record["trace"]

    @property
    def settings(self) -> dict:
        """The settings of the method that drew it."""
        return self.origin.method

    def save(self, path: str | Path) -> Path:
        """Write the PNG file, with its settings inside; returns its path."""
        path = Path(path).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, self.png)
        return path

    def __repr__(self) -> str:
        return f"<Picture {label(self.entry.record())!r}, seed {self.seed}.{self.index}>"

    def _repr_png_(self) -> bytes:
        return self.png


class Pictures(list[Picture]):
    """Pictures of one call, in the plan's order. Notebooks show them side by side."""

    def grid(self) -> Image.Image:
        """All of them, in rows of at most eight."""
        return side_by_side([picture.image for picture in self], columns=8)

    def _repr_png_(self) -> bytes | None:
        return _file(self.grid()) if self else None


class Step(NamedTuple):
    """All pictures of a call after one of their steps."""

    number: int
    """From 1."""
    of: int
    """The number of steps."""
    t: float
    """The timestep the step began at, of the prior's own; for a search, the steps that are left."""
    images: list[Image.Image]
    """The clean pictures expected so far; after the last step, the pictures."""
    scores: list[dict[str, float]]
    """F_k of each term, for each picture; empty where it is not guided."""
    gradient_rms: list[float | None]
    """Size of the gradient, for each picture; None where it is not guided."""
    clipped: list[float | None]
    """Share of the prior's prediction at the bounds of its range, for each picture; None for a search."""
    pictures: Pictures | None = None
    """After the last step, what was drawn, with its files; None before."""

    @property
    def predicted(self) -> Image.Image:
        """The pictures side by side."""
        return side_by_side(self.images, columns=8)

    def _repr_png_(self) -> bytes:
        return _file(self.predicted)


def step(
    views: Sequence[View], groups: Sequence[Sequence[PlanEntry]], of: int, pictures: Pictures | None = None
) -> Step:
    """One step of several groups that are drawn in turns.

    Args:
        views: of each group.
        groups: their entries, without padding.
        pictures: if it is the last step, what was drawn.
    """
    images: list[Image.Image] = []
    scores: list[dict[str, float]] = []
    rms: list[float | None] = []
    clipped: list[float | None] = []
    for view, entries in zip(views, groups, strict=True):
        pixels = to_bytes(view.predicted[: len(entries)]).cpu().permute(0, 2, 3, 1).contiguous().numpy()
        images += [Image.fromarray(rows) for rows in pixels]
        guided = [bool(entry.scale) for entry in entries]
        told = {name: values.tolist() for name, values in view.scores.items()}
        scores += [{n: v[i] for n, v in told.items()} if aimed else {} for i, aimed in enumerate(guided)]
        rms += [
            size if aimed else None
            for aimed, size in zip(guided, _numbers(view.gradient_rms, entries), strict=True)
        ]
        clipped += _numbers(view.clipped, entries)
    return Step(views[0].number, of, views[0].t, images, scores, rms, clipped, pictures)


def side_by_side(images: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in rows."""
    width, height = images[0].size
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (width * min(len(images), columns), height * rows), (255, 255, 255))
    for i, image in enumerate(images):
        sheet.paste(image, (i % columns * width, i // columns * height))
    return sheet


def _numbers(values: Tensor | None, entries: Sequence[PlanEntry]) -> list[float | None]:
    return [None] * len(entries) if values is None else [*values.tolist()[: len(entries)]]


def _file(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="png")
    return stream.getvalue()
