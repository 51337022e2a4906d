"""Photographs and their labels, as training reads them."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from omegaconf import DictConfig
from torch import Tensor

from sdg.config import build
from sdg.data.captioned import CaptionedData
from sdg.data.captions import FOLDER, LabelCaptions
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
        SDGError: no pictures, no table, no labels, a cell that means no value, or as ``CaptionedData``.
    """
    known = build(data)
    if not isinstance(known, CaptionedData) or not isinstance(known.words.captions, LabelCaptions):
        raise SDGError("the judge is held against labels: choose data with data.captions.labels, as faces64")
    places = known.usable()
    places = places[:: max(1, len(places) // count)][:count]
    rows = read_rows(known, data)
    return Labelled(
        Squares(data.root, known.source.source, data.size, data.preparation),
        places,
        [known.words.contents[place] for place in places],
        [rows[place][0] for place in places],
    )


def read_rows(known: CaptionedData, data: DictConfig) -> list[list[Row]]:
    """What the table says of each picture, cell by cell; without a table, the name of its folder."""
    source = known.source.source
    paths = [source.path_inside(place) for place in range(len(source))]
    if data.table is None:
        return [[{FOLDER: PurePosixPath(path).parent.name}] for path in paths]
    table = find_table(data.table, source.place, Path(data.root).expanduser())
    return match_rows(read_table(table, data.file), paths)[0]
