"""One folder and one table for photographs of which different things are known.

Of the one set, ages and sexes are known, of the other, smiles: together they teach a CLIP all three.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from omegaconf import DictConfig

from sdg.data.captions import FOLDER
from sdg.data.labels import Label
from sdg.data.locate import find_source
from sdg.data.source import PictureSource
from sdg.data.table import find_table, match_rows, read_table
from sdg.errors import SDGError
from sdg.files import write_whole

AGED, SMILES, TABLE = "aged", "smiles", "labels.csv"
COLUMNS = ("file", "age", "sex", "smile")


def gather(aged: DictConfig, smiles: DictConfig | None, folder: Path) -> Path:
    """Unpack both sets below ``folder`` with a table of all labels, ``labels.csv``; returns ``folder``.

    What is there already is kept, and the table is written last.

    Args:
        aged: a ``conf/data`` with a table of ages and sexes, as ``faces64``.
        smiles: one whose pictures are in folders of their smiles, as ``smile64``; None: there is none.

    Raises:
        SDGError: a row without a picture or a picture without a row, or a folder that is no smile.
    """
    if (folder / TABLE).is_file():
        return folder
    rows = [*_aged(aged, folder / AGED), *(_smiles(smiles, folder / SMILES) if smiles is not None else ())]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    write_whole(folder / TABLE, text.getvalue())
    return folder


def _aged(data: DictConfig, folder: Path) -> Iterator[tuple[str, ...]]:
    source = _source(data)
    paths = [source.path_inside(place) for place in range(len(source))]
    table = find_table(data.table, source.place, Path(data.root).expanduser())
    rows, missing = match_rows(read_table(table, data.file), paths)
    bare = [path for path, own in zip(paths, rows, strict=True) if not own]
    if missing or bare:
        what = f"names {missing[0]}, which is not there" if missing else f"says nothing of {bare[0]}"
        raise SDGError(f"{table} {what}: mend the table or the pictures")
    for place, own in enumerate(rows):
        yield _unpacked(source, place, folder), str(own[0]["age"]), str(own[0]["sex"]), ""


def _smiles(data: DictConfig, folder: Path) -> Iterator[tuple[str, ...]]:
    source, label = _source(data), Label(FOLDER, data.captions.labels.folder)
    for place in range(len(source)):
        smile = label.read({FOLDER: PurePosixPath(source.path_inside(place)).parent.name})
        yield _unpacked(source, place, folder), "", "", str(int(smile == "smiling"))


def _source(data: DictConfig) -> PictureSource:
    return find_source(data.root, Path(data.cache), data.inside, data.size)


def _unpacked(source: PictureSource, place: int, folder: Path) -> str:
    """Write a picture as it is; returns its path in the table."""
    path = folder / source.path_inside(place)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, source.read(place))
    return path.relative_to(folder.parent).as_posix()
