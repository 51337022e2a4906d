"""What a folder of samples holds, told by its manifest, which is checked, and by names: nothing heavy."""

import json
from pathlib import Path

from sdg.data.listing import list_pictures
from sdg.errors import SDGError

_SAID = {"prompt", "seed", "index", "scale", "scores"}
"""Keys that a run's manifest has for every sample, besides its file."""


def is_run(folder: str | Path | None) -> bool:
    """Whether a folder says what its pictures are: whether it is that of a ``sample.py`` run.

    Raises:
        SDGError: there is no folder at all.
    """
    if folder is None:
        raise SDGError("there is nothing to evaluate: give samples=DIR, a folder of pictures")
    return (Path(folder).expanduser() / "manifest.jsonl").is_file()


def loose_pictures(folder: str | Path) -> list[Path]:
    """The pictures of a folder that is no run.

    Raises:
        SDGError: there are none, or the folder holds several runs, or is still being written.
    """
    folder = Path(folder).expanduser()
    if runs := sorted(folder.glob("*/manifest.jsonl")):
        raise SDGError(f"{folder} holds runs of sample.py: give one of them, such as {runs[0].parent}")
    if part := next(folder.rglob("*.part"), None):
        raise SDGError(f"{folder} is still being written ({part.name}): wait, or delete what is unfinished")
    return list_pictures(folder)


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
        with manifest.open(encoding="utf-8", newline="\n") as lines:  # a prompt may have other line breaks
            records = [_record(line) for line in lines if line != "\n"]
        named = {record["file"] for record in records}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
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


def _record(line: str) -> dict:
    record: dict = json.loads(line)
    if isinstance(record.get("trace"), dict):
        # Earlier versions kept here what happened at every step: 26 KB of memory for one of 100 steps.
        del record["trace"]
    return record


def _unfinished(folder: Path, sign: str) -> SDGError:
    return SDGError(
        f"the run in {folder} is unfinished ({sign}): repeat its sample.py command, which completes it"
    )
