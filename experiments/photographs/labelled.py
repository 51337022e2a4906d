"""Photographs and their labels, as training reads them."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from omegaconf import DictConfig
from torch import Tensor

from sdg.config import build
from sdg.data.captions import FOLDER, LabelCaptions
from sdg.data.locate import find_source
from sdg.data.table import Row, find_table, match_rows, read_table
from sdg.errors import SDGError
from sdg.metrics.pictures import Squares


class Labelled(NamedTuple):
    """N photographs."""

    pictures: Squares
    places: list[int]
    """Which of the set's pictures they are."""
    labels: list[dict[str, str]]
    """Of each: attribute -> value, as captions call it."""
    rows: list[Row]
    """Of each: its cells of the table, or the name of its folder."""

    def batches(self, size: int) -> Iterator[Tensor]:
        """(B, 3, S, S) uint8"""
        return self.pictures.batches(self.places, size)


def read_labelled(data: DictConfig, count: int) -> Labelled:
    """At most ``count`` labelled pictures of a ``conf/data``, evenly spaced.

    Raises:
        SDGError: no pictures, no table, no labels, or a cell that means no value.
    """
    captions = build(data.captions)
    if not isinstance(captions, LabelCaptions):
        raise SDGError("the judge is held against labels: choose data with data.captions.labels, as faces64")
    source = find_source(data.root, Path(data.cache), data.inside, data.size)
    paths = [source.path_inside(place) for place in range(len(source))]
    rows = [[{FOLDER: PurePosixPath(path).parent.name}] for path in paths]
    if data.table is not None:
        table = find_table(data.table, source.place, Path(data.root).expanduser())
        rows, _ = match_rows(read_table(table, data.file), paths)
    known = [place for place, those in enumerate(rows) if those]
    if not known:
        raise SDGError(f"nothing is known of the {len(paths):,} pictures of {data.root}: give data.table")
    places = known[:: max(1, len(known) // count)][:count]
    labels = [captions.prepare(rows[place]) for place in places]
    told = [number for number, label in enumerate(labels) if label]
    squares = Squares(data.root, source, data.size, data.preparation)
    return Labelled(
        squares,
        [places[number] for number in told],
        [label for label in labels if label],
        [rows[places[number]][0] for number in told],
    )
