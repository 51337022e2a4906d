"""Merges runs with different seeds into one that ``evaluate.py`` can read, with a page of every target.

Samples from the same noise are alike, whatever guides them, so measuring takes more noises than a run has.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sdg.files import write_whole
from sdg.metrics.folder import read_manifest
from sdg.report.page import write_page


def merge(folder: Path, parts: Sequence[Path], title: str, beside: Sequence[dict] = ()) -> list[dict]:
    """Rebuild ``folder`` as one run with the pictures of ``parts``; returns its records.

    Args:
        beside: records of unguided samples, from :func:`gathered`, to put before them.
    """
    return arrange(folder, [*beside, *gathered(parts)], title, parts[0] / "config.yaml")


def gathered(parts: Sequence[Path]) -> list[dict]:
    """The records of finished parts, in their order, with absolute paths of files.

    Raises:
        SDGError: a part is unfinished.
    """
    records = []
    for part in parts:
        for record in read_manifest(part):
            files = {key: str((part / record[key]).absolute()) for key in _FILES if record.get(key)}
            records.append(record | files)
    return records


def arrange(folder: Path, records: Sequence[dict], title: str, config: Path) -> list[dict]:
    """Write a run of these records; the pictures stay where they are and are hard-linked here."""
    for old in _FILES.values():
        shutil.rmtree(folder / old, ignore_errors=True)
    kept = []
    for number, record in enumerate(records):
        files = {key: Path(record[key]) for key in _FILES if record.get(key)}
        links = {
            key: _link(
                file, folder, f"{_FILES[key]}/{file.name if key == _SHARED else f'{number:06d}{file.suffix}'}"
            )
            for key, file in files.items()
        }
        kept.append(record | {"id": number} | links)
    _write_manifest(folder, kept)
    shutil.copyfile(config, folder / "config.yaml")
    write_page(folder, kept, title)
    return kept


def aim(folder: Path, records: Sequence[dict], prompts: Sequence[str], each: int) -> None:
    """Label unguided samples in the manifest as if aimed at prompts, ``each`` samples per prompt."""
    led = [record | {"prompt": prompts[i // each], "scale": 0.0} for i, record in enumerate(records)]
    _write_manifest(folder, led)


def swapped(records: Sequence[dict], prompts: Sequence[str]) -> list[dict]:
    """The same pictures, each labelled with the next prompt: a method that ignores its prompts."""
    following: Mapping[str, str] = dict(zip(prompts, [*prompts[1:], prompts[0]], strict=True))
    return [record | {"prompt": following.get(record["prompt"], record["prompt"])} for record in records]


_FILES = {"file": "samples", "reference_file": "references", "trace": "traces", "strip": "strips"}
"""Key of a record -> the folder of the files that it names."""
_SHARED = "reference_file"
"""What many samples have in common keeps its name; the others' files get their number."""


def _write_manifest(folder: Path, records: Sequence[dict]) -> None:
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    write_whole(folder / "manifest.jsonl", lines)


def _link(source: Path, folder: Path, name: str) -> str:
    """A hard link, or a copy where the file system has none."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    return name
