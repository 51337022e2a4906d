"""One folder and one table for photographs of which different things are known.

Of the one set, ages and sexes are known, of the other, smiles: together they teach a CLIP all three.
"""

import csv
import io
from pathlib import Path

from omegaconf import DictConfig

from experiments.photographs.labelled import read_rows
from sdg.config import build
from sdg.data.captioned import CaptionedData
from sdg.data.captions import FOLDER
from sdg.files import write_whole

AGED, SMILES, TABLE = "aged", "smiles", "labels.csv"
COLUMNS = ("file", "age", "sex", "smile")


def gather(aged: DictConfig, smiles: DictConfig | None, folder: Path) -> Path:
    """Unpack both sets below ``folder`` with a table of all labels, ``labels.csv``; returns ``folder``.

    Args:
        aged: a ``conf/data`` with a table of ages and sexes, as ``faces64``.
        smiles: one whose pictures are in folders of their smiles, as ``smile64``; None: there is none.

    Raises:
        SDGError: as ``CaptionedData``, before anything is written.
    """
    known: CaptionedData = build(aged)
    smiling: CaptionedData | None = build(smiles)
    rows = [
        (_unpacked(known, place, folder / AGED), str(own[0]["age"]), str(own[0]["sex"]), "")
        for place, own in enumerate(read_rows(known, aged))
        if own
    ]
    if smiling is not None:
        rows += [
            (_unpacked(smiling, place, folder / SMILES), "", "", str(int(said[FOLDER] == "smiling")))
            for place, said in enumerate(smiling.words.contents)
        ]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_whole(folder / TABLE, text.getvalue())
    return folder


def _unpacked(known: CaptionedData, place: int, folder: Path) -> str:
    """Write a picture as it is, unless it is there; returns its path in the table."""
    source = known.source.source
    path, picture = folder / source.path_inside(place), source.read(place)
    if not path.is_file() or path.read_bytes() != picture:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, picture)
    return path.relative_to(folder.parent).as_posix()
