"""What the results of an experiment depend on: files of code, settings, weights and data, each with its hash.

These are the settings that its process has composed, the code that the experiment imports or that these
settings name (``_target_``), all that this imports, and the weights that the settings name. If anything of a
file is needed, all of it counts, but for comments, documentation, annotations and the wording of errors.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sdg.composition import ROOT
from sdg.files import file_hash

Files = dict[str, dict[str, str]]
"""Folder -> file in it -> the start of its hash."""
ROOMS = (
    *("sdg/baselines", "sdg/checkpoints", "sdg/data", "sdg/diffusion", "sdg/estimators", "sdg/guidance"),
    *("sdg/metrics", "sdg/networks", "sdg/populations", "sdg/sampling", "sdg/pixels.py"),
    *("sdg/randomness.py", "sdg/report/student.py", "experiments"),
)
"""Where numbers come from; training does not count, as its weights do."""
_INPUTS = ("*.jsonl", "*.txt", "doses.json", "settings.json")
_DIGITS = 6
_COMPOSE = {"draw", "configuration", "load_judge"}
"""What of the experiments' helpers brings settings and networks; the rest of them tells and writes."""
_HELPERS = tuple(f"experiments.{name}" for name in ("command", "running", "results", "pages", "plotting"))
_MODULE = re.compile(r"\b(?:sdg|experiments)(?:\.\w+)+")
_UNSAID = ("annotation", "returns", "msg")
"""Parts of a syntax tree that change no number."""


def files(experiment: Path, settings: Iterable[Path] = ()) -> Files:
    """All files that the results of an experiment, a folder, depend on.

    Args:
        settings: files of ``conf`` that were composed; those that are not ours do not count.
    """
    settings = [path for path in settings if path.is_relative_to(ROOT / "conf") and path.is_file()]
    composed = "\n".join(map(_yaml, settings))
    code = _reached([*experiment.glob("*.py"), *_modules(composed)])
    homes = {path.parent for path in code if path.is_relative_to(ROOT / "experiments")}
    inputs = [path for home in homes - {ROOT / "experiments"} for name in _INPUTS for path in home.glob(name)]
    checkpoints = ROOT / "checkpoints"
    named = [path for path in checkpoints.glob("*/*") if str(path.relative_to(checkpoints)) in composed]
    cards = [card for path in named if (card := path.with_suffix(".json")).is_file()]
    found: Files = {}
    for path in sorted({*settings, *code, *inputs, *named, *cards}):
        folder = path.parent.relative_to(ROOT).as_posix()
        found.setdefault(folder, {})[path.name] = _hash(path)
    return found


def changed(before: Files, now: Files) -> list[str]:
    """The files that differ, are gone or are new."""
    then, here = (
        {f"{folder}/{name}": digest for folder, own in each.items() for name, digest in own.items()}
        for each in (before, now)
    )
    return sorted(name for name in {**then, **here} if then.get(name) != here.get(name))


def settings_among(found: Files) -> list[Path]:
    """The files of ``conf``, for :func:`files`."""
    return [ROOT / folder / name for folder in found if folder.startswith("conf") for name in found[folder]]


def _reached(beginning: Iterable[Path]) -> set[Path]:
    """Those modules of ``ROOMS`` that are imported or named from some others, directly or not; and these."""
    waiting, found = [*beginning], set[Path]()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports(path)
    return {path for path in found if any(path.is_relative_to(ROOT / room) for room in ROOMS)}


def _imports(path: Path) -> Iterator[Path]:
    return _modules("\n".join(_module(path.read_text(encoding="utf-8")).names))


def _modules(text: str) -> Iterator[Path]:
    """The modules, and packages, that dotted names in a text begin with."""
    for name in set(_MODULE.findall(text)):
        parts = name.split(".")
        for end in range(2, len(parts) + 1):  # ``import sdg`` is for its version
            place = ROOT.joinpath(*parts[:end])
            yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))


class _Module(NamedTuple):
    names: frozenset[str]
    """Dotted ones that it imports, or that stand in its texts, for objects made by name."""
    digest: str
    """Of what it computes, the same in every version of Python."""


@cache
def _module(source: str) -> _Module:
    tree = _tree(source)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            own = {alias.name for alias in node.names}
            if node.module not in _HELPERS or _COMPOSE & own:
                names |= {f"{node.module}.{name}" for name in own}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= {*_MODULE.findall(node.value)}
    return _Module(frozenset(names), _start(repr(_said(tree))))


def _hash(path: Path) -> str:
    if path.suffix == ".py":
        return _module(path.read_text(encoding="utf-8")).digest
    return _start(_yaml(path)) if path.suffix == ".yaml" else file_hash(path)[:_DIGITS]


def _said(node: object) -> object:
    if isinstance(node, ast.AST):
        parts = ((name, part) for name, part in ast.iter_fields(node) if name not in _UNSAID)
        return type(node).__name__, [(name, _said(part)) for name, part in parts if part not in (None, [])]
    return [_said(each) for each in node] if isinstance(node, list) else node


def _tree(source: str) -> ast.Module:
    """Without documentation, the wording of errors, and imports for annotations."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [each for each in body if not _is_silent(each)]
    return tree


def _is_silent(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in ("typing", "collections.abc")
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _yaml(path: Path) -> str:
    """Without comments."""
    lines = (re.sub(r"(^|\s)#.*", "", line) for line in path.read_text(encoding="utf-8").splitlines())
    return "\n".join(filter(None, map(str.rstrip, lines)))


def _start(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
