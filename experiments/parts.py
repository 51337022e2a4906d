"""Runs with seeds of their own as one run, which ``evaluate.py`` takes, with a page of every target.

Samples of one noise are alike, whatever guides them: what is measured wants more noises than a run has.
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
    """Make ``folder`` a run of the pictures of ``parts``, anew; returns its records.

    Args:
        beside: records, of :func:`gathered`, of unguided samples to put before them.
    """
    return arrange(folder, [*beside, *gathered(parts)], title, parts[0] / "config.yaml")


def gathered(parts: Sequence[Path]) -> list[dict]:
    """The records of finished parts, in their order, with files that are found from anywhere.

    Raises:
        SDGError: a part is unfinished.
    """
    records = []
    for part in parts:
        for record in read_manifest(part):
            files = {key: str((part / record[key]).absolute()) for key in _FILES if key in record}
            records.append(record | files)
    return records


def arrange(folder: Path, records: Sequence[dict], title: str, config: Path) -> list[dict]:
    """Write a run of these records, whose pictures stay where they are and get a second name here."""
    for old in ("samples", "references"):
        shutil.rmtree(folder / old, ignore_errors=True)
        (folder / old).mkdir(parents=True)
    kept = []
    for number, record in enumerate(records):
        files = {"file": _link(record["file"], folder, f"samples/{number:06d}.png")}
        if "reference_file" in record:
            name = f"references/{Path(record['reference_file']).name}"
            files["reference_file"] = _link(record["reference_file"], folder, name)
        kept.append(record | {"id": number} | files)
    _write_manifest(folder, kept)
    shutil.copyfile(config, folder / "config.yaml")
    write_page(folder, kept, title)
    return kept


def aim(folder: Path, records: Sequence[dict], prompts: Sequence[str], each: int) -> None:
    """Note in the manifest that samples which nothing led were aimed at prompts, ``each`` at every one."""
    led = [record | {"prompt": prompts[i // each], "scale": 0.0} for i, record in enumerate(records)]
    _write_manifest(folder, led)


def swapped(records: Sequence[dict], prompts: Sequence[str]) -> list[dict]:
    """The same pictures, each said to be of the next prompt: a method that does not do what it is told."""
    following: Mapping[str, str] = dict(zip(prompts, [*prompts[1:], prompts[0]], strict=True))
    return [record | {"prompt": following.get(record["prompt"], record["prompt"])} for record in records]


_FILES = ("file", "reference_file")


def _write_manifest(folder: Path, records: Sequence[dict]) -> None:
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    write_whole(folder / "manifest.jsonl", lines)


def _link(source: str, folder: Path, name: str) -> str:
    """A hard link, or a copy where the file system has none."""
    target = folder / name
    if not target.exists():
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    return name
