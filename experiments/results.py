"""Files of results: each begins with a line that says what made it, for ``python -m experiments.stale``."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import sdg
from experiments.dependencies import files, settings_among
from experiments.running import machine
from sdg.composition import ROOT, composed
from sdg.files import write_whole

_LIBRARIES = ("torch", "torchvision", "open_clip_torch", "pillow", "numpy")
FOLDER = ROOT / "experiments"
_OPENS, _CLOSES = "<!-- made by: ", " -->"


def save_page(path: Path, lines: Sequence[str], experiment: str, parts: Iterable[Path] = ()) -> Path:
    """Write a page of results of ``experiment``, a package, below its head; returns the path.

    Args:
        parts: pages by other processes that this one is made of. What they composed counts, too.
    """
    return save_lines(path, lines, made_by(ROOT.joinpath(*experiment.split(".")), parts))


def save_lines(path: Path, lines: Sequence[str], head: dict | None) -> Path:
    """The same below a head that is known, or none: for pages that are made again from stored numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = [] if head is None else [f"{_OPENS}{json.dumps(head, ensure_ascii=False)}{_CLOSES}", ""]
    write_whole(path, "\n".join([*said, *lines]).rstrip() + "\n")
    return path


def read_head(path: Path) -> dict | None:
    """What a page of results says of its making; None if it says nothing."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    if not (first.startswith(_OPENS) and first.endswith(_CLOSES)):
        return None
    head: dict = json.loads(first.removeprefix(_OPENS).removesuffix(_CLOSES))
    return head


def made_by(experiment: Path, parts: Iterable[Path] = ()) -> dict:
    """The head: command, commit, hashes of the files that count, versions, machine and threads."""
    heads = filter(None, map(read_head, parts))
    settings = {*composed(), *(each for head in heads for each in settings_among(head["files"]))}
    return {
        "command": shlex.join(["python", "-m", f"experiments.{experiment.name}", *sys.argv[1:]]),
        "commit": _commit(),
        "files": files(experiment, settings),
        "versions": _versions(),
        "machine": machine(),
        "threads": torch.get_num_threads(),
    }


def _commit() -> str | None:
    """Of the checkout; None outside of one. Changes that are not committed are told by the hashes of code."""
    line = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        return subprocess.run(line, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _versions() -> dict[str, str]:
    versions = {"sdg": sdg.__version__, "python": sys.version.partition(" ")[0]}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # of a distribution that carries another name
            continue
    return versions
