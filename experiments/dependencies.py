"""What the results of an experiment depend on: code, weights and data, as hashes."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from sdg.composition import ROOT
from sdg.files import file_hash

DRAWS = ("sdg/sampling", "sdg/metrics/run.py")
"""An experiment that imports these composes what it uses from ``conf``, so it depends on all of ``ROOMS``."""
ROOMS = (
    *("sdg/baselines", "sdg/checkpoints", "sdg/data", "sdg/diffusion", "sdg/estimators", "sdg/guidance"),
    *("sdg/metrics", "sdg/networks", "sdg/populations", "sdg/sampling", "sdg/pixels.py"),
    *("sdg/randomness.py", "conf"),
)
"""Where numbers come from; training does not count, as its weights do."""
_DIGITS = 12
_COMPOSE = {"draw", "configuration", "load_judge"}
"""What of the experiments' helpers brings settings and networks; the rest of them tells and writes."""
_HELPERS = tuple(f"experiments.{name}" for name in ("running", "results", "pages", "plotting"))


@cache
def code(experiment: Path) -> dict[str, str]:
    """Room -> the hash of its files that the experiment needs; comments and documentation do not count."""
    files = _reached(experiment)
    if any(_in(path, DRAWS) for path in files):
        files |= {path for room in ROOMS for path in _files(ROOT / room)}
    own = experiment.relative_to(ROOT).as_posix()
    rooms = {room: sorted(path for path in files if _in(path, (room,))) for room in (*ROOMS, own)}
    return {room: _hash(map(_said, those)) for room, those in rooms.items() if those}


def weights() -> dict[str, str]:
    """Shipped file -> its hash."""
    return _hashes((ROOT / "checkpoints").rglob("*.safetensors"))


def data(experiment: Path) -> dict[str, str]:
    """Input file of the experiment -> its hash."""
    return _hashes([*experiment.glob("*.jsonl"), *experiment.glob("*.txt")])


def _hashes(files: Iterable[Path]) -> dict[str, str]:
    return {path.name: file_hash(path)[:_DIGITS] for path in sorted(files)}


def _reached(experiment: Path) -> set[Path]:
    """The files of ``sdg`` and ``experiments`` that an experiment's modules import, directly or not."""
    waiting, found = [*experiment.glob("*.py")], set[Path]()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports(path)
    return found


def _imports(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module in _HELPERS and not _COMPOSE & {alias.name for alias in node.names}:
                continue
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.startswith(("sdg.", "experiments.")):  # ``import sdg`` is for its version
                place = ROOT.joinpath(*name.split("."))
                yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))


def _files(place: Path) -> list[Path]:
    """The sources in a folder, at any depth, or one file."""
    if place.is_file():
        return [place]
    return [path for pattern in ("*.py", "*.yaml") for path in place.rglob(pattern)]


def _in(path: Path, places: Iterable[str]) -> bool:
    return any(path.is_relative_to(ROOT / place) for place in places)


def _said(path: Path) -> str:
    """What a source says, without comments and documentation."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [each for each in body if not _is_text(each)]
    return f"{path.relative_to(ROOT).as_posix()}\n{ast.dump(tree)}"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]
