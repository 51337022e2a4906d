"""Tables beside pictures: which rows a file has, and which rows belong to which picture."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sdg.errors import SDGError
from sdg.files import printable

Row = dict[str, Any]
"""Cells by column. A cell is text, or in JSON any value; a missing one is an empty text or None."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SUFFIXES = ", ".join((*_DELIMITERS, ".jsonl", ".json"))


def find_table(name: str | Path, *roots: Path) -> Path:
    """The table ``name``: in one of ``roots``, the places of the pictures; else a path; else beside a root.

    A set's own goes first: a working folder may hold another table of that name.

    Raises:
        SDGError: there is none.
    """
    given = Path(name).expanduser()
    inside = [root / given for root in roots]
    beside = [root.parent / given for root in roots]
    for place in (*inside, given, *beside):
        if place.is_file():
            return place
    raise SDGError(
        f"{given} is not there, nor in or beside {roots[-1]}: give the table's path, data.table=PATH"
    )


def read_table(path: Path, column: str) -> dict[str, list[Row]]:
    """The rows of a table by the picture that their ``column`` names; a picture may have several.

    Args:
        path: CSV or TSV with a head line, JSON lines, or a JSON list of objects, or a JSON object of such
            objects by picture.

    Raises:
        SDGError: it cannot be read, or a row names no picture.
    """
    rows: dict[str, list[Row]] = {}
    for place, row in _rows(path, column):
        if column not in row:
            known = ", ".join(map(str, row))
            raise SDGError(f"{path} has no column {column} (but {known}): data.file names the right one")
        name = str(row[column] or "").strip().replace("\\", "/").removeprefix("./")
        if not name:
            raise SDGError(f"{place} of {path} names no picture in its column {column}: mend it")
        rows.setdefault(name, []).append(row)
    if not rows:
        raise SDGError(f"{path} has no rows: give a table of the pictures")
    return rows


def match_rows(table: dict[str, list[Row]], pictures: Sequence[str]) -> tuple[list[list[Row]], list[str]]:
    """The rows of each picture, which may be none, and the names in the table that no picture has.

    A name stands for the picture whose path ends with it, with or without the picture's suffix.

    Args:
        table: as ``read_table`` gives it.
        pictures: their paths, with / between folders.

    Raises:
        SDGError: a name stands for several pictures.
    """
    places: dict[str, list[int]] = {}
    for place, picture in enumerate(pictures):
        for ending in _endings(picture):
            places.setdefault(ending, []).append(place)
    found: list[list[Row]] = [[] for _ in pictures]
    missing = []
    for name, rows in table.items():
        those = places.get(name, [])
        if len(those) > 1:
            several = " and ".join(printable(pictures[place]) for place in those[:2])
            raise SDGError(f"the table's {name} may be {several}: put more of its path into the table")
        if those:
            found[those[0]] += rows
        else:
            missing.append(name)
    return found, missing


def _endings(picture: str) -> Iterator[str]:
    path = PurePosixPath(picture)
    for start in range(len(path.parts)):
        ending = PurePosixPath(*path.parts[start:])
        yield ending.as_posix()
        if ending.suffix:
            yield ending.with_suffix("").as_posix()


def _rows(path: Path, column: str) -> Iterator[tuple[str, Row]]:
    """Every row, after where it is."""
    suffix = path.suffix.lower()
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if suffix in _DELIMITERS:
            yield from _separated(path, text, _DELIMITERS[suffix])
        elif suffix == ".jsonl":
            for number, line in enumerate(text.split("\n"), start=1):
                if line.strip():
                    yield f"line {number}", _checked(json.loads(line), f"line {number} of {path}")
        elif suffix == ".json":
            content = json.loads(text)
            named = isinstance(content, dict)
            entries = [{column: key} | value for key, value in content.items()] if named else list(content)
            for number, entry in enumerate(entries, start=1):
                yield f"entry {number}", _checked(entry, f"entry {number} of {path}")
        else:
            raise SDGError(f"{path} is no table: use one of {_SUFFIXES}")
    except OSError as error:
        raise SDGError(f"{path} cannot be read ({error.strerror}): give a readable table") from error
    except UnicodeDecodeError as error:
        raise SDGError(f"{path} is not UTF-8: save the table as UTF-8 text") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise SDGError(f"{path} cannot be read ({error}): mend it, or save it again") from error


def _separated(path: Path, text: str, delimiter: str) -> Iterator[tuple[str, Row]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for row in reader:
        if None in row:
            raise SDGError(f"line {reader.line_num} of {path} has more cells than the head: mend it")
        yield f"line {reader.line_num}", row


def _checked(entry: Any, place: str) -> Row:
    if not isinstance(entry, dict):
        raise SDGError(f'{place} is not like {{"file": "00000.png", "caption": "a face"}}: mend it')
    return entry
