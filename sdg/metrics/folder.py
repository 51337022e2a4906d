"""Reading folders: a run's manifest, which is checked, and pictures, in batches."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from sdg.data.picture import open_picture, to_tensor
from sdg.errors import SDGError

_SAID = {"prompt", "seed", "index", "scale", "scores"}
"""Keys that a run's manifest has for every sample, besides its file."""


def read_manifest(folder: str | Path) -> list[dict]:
    """The records of a finished run, as its manifest orders them.

    Raises:
        SDGError: there is no run; it is still being written, was killed, or lost pictures; or its manifest
            lacks a required key.
    """
    folder = Path(folder)
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        raise SDGError(f"{folder} holds no manifest.jsonl: give the output_dir of a sample.py run")
    try:
        records = [json.loads(line) for line in manifest.read_text(encoding="utf-8").split("\n") if line]
        named = {record["file"] for record in records}
    except (ValueError, KeyError, TypeError) as error:
        raise _unfinished(folder, "its manifest is cut short") from error
    if not records:
        raise _unfinished(folder, "its manifest is empty")
    for number, record in enumerate(records, start=1):
        if unsaid := sorted(_SAID - record.keys()):
            raise SDGError(
                f"line {number} of {manifest} says no {unsaid[0]}: give the output_dir of a sample.py run, "
                "or a folder of the pictures alone"
            )
    present = {f"samples/{path.name}" for path in (folder / "samples").glob("*.png")}
    if missing := named - present:
        raise _unfinished(folder, f"{len(missing)} of its {len(records)} pictures are missing")
    if stray := present - named:
        raise _unfinished(folder, f"{len(stray)} of its pictures are not in the manifest")
    if not (folder / "index.html").exists():  # a run writes it last
        raise _unfinished(folder, "it has no index.html yet")
    return records


def _unfinished(folder: Path, sign: str) -> SDGError:
    return SDGError(
        f"the run in {folder} is unfinished ({sign}): repeat its sample.py command, which completes it"
    )


def read_files(
    files: Sequence[Path],
    batch_size: int,
    prepare: Callable[[Image.Image], Image.Image] | None = None,
) -> Iterator[Tensor]:
    """Pictures, upright and in RGB, after ``prepare`` if given: batches (B, 3, H, W) uint8.

    Raises:
        SDGError: a file is not an intact picture, or the pictures differ in size.
    """
    size: tuple[int, int] | None = None
    for start in range(0, len(files), batch_size):
        batch = []
        for path in files[start : start + batch_size]:
            image = open_picture(path)
            image = image if prepare is None else prepare(image)
            if image.size != (size := size or image.size):
                raise SDGError(
                    "{} is {}x{} where the pictures before it are {}x{}: evaluate one size at a time".format(
                        path, *image.size, *size
                    )
                )
            batch.append(to_tensor(image))
        yield torch.stack(batch)
