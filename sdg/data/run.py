"""Data sets before a training: the cache that it reads, the words that it hears."""

import json

from omegaconf import DictConfig

from sdg.config import build, entry
from sdg.data.captioned import CaptionedData
from sdg.data.file_data import FileData
from sdg.errors import SDGError

_SHOWN = 12
"""Captions printed as examples."""


def prepare(config: DictConfig) -> None:
    """Write the cache that training on ``config.data`` will use, or check the existing one."""
    data = build(config.data, size=config.size)
    if not isinstance(data, FileData):
        raise SDGError("this data set is drawn, not read: there is nothing to prepare")
    data.write_cache()
    print(f"prepared: {data.cache}")


def words(config: DictConfig) -> None:
    """Print captions of ``config.data`` as comments, and all their words as a list that YAML reads."""
    data = build(config.data, size=config.size)
    if not isinstance(data, CaptionedData) or data.words is None:
        raise SDGError("this data set has no table of captions or labels: give one, data=table")
    for note in data.notes:
        print(f"# note: {note}")
    usable = data.usable()
    for place in usable[:: -(-len(usable) // _SHOWN)]:
        print(f"# {data.source.source.name(place)}: {data.words.caption(0, place)}")
    # JSON quotes what YAML would read as something other than a word: no, on, null, 1.
    print(json.dumps(data.words.vocabulary()))


main = entry("prepare")(prepare)
words_main = entry("prepare")(words)
