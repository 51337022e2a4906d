"""Which keywords a constructor takes, read from its source: importing it could take seconds."""

import ast
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

_Definition = ast.ClassDef | ast.FunctionDef


@functools.cache
def keywords(target: str) -> dict[str, str] | None:
    """The keywords that ``target`` (``package.module.Class``, or a function) takes, with their annotations.

    None if it takes any keyword, or if its source does not tell; an annotation is empty if there is none.
    """
    found = _look_up(target)
    return None if found is None else _parameters(*found)


@functools.cache
def constructor(target: str) -> ast.FunctionDef | None:
    """What takes the arguments of ``target``: its ``__init__``, or a dataclass's ``__post_init__``.

    None if the source does not tell, or there is none.
    """
    found = _look_up(target)
    return None if found is None else _constructor(*found[:2])


def _constructor(module: Path, definition: _Definition) -> ast.FunctionDef | None:
    if isinstance(definition, ast.FunctionDef):
        return definition
    for part in definition.body:
        if isinstance(part, ast.FunctionDef) and part.name in ("__init__", "__post_init__"):
            return part
    base = _name(definition.bases[0]) if definition.bases else None
    found = _find_in(module, [base]) if base else None
    return None if found is None else _constructor(*found[:2])


def _look_up(target: str) -> tuple[Path, _Definition, bool] | None:
    parts = target.split(".")
    package = _package(parts[0])
    return _find(package, parts[1:]) if package else None


def _package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _find(place: Path, names: list[str]) -> tuple[Path, _Definition, bool] | None:
    """The module, definition and nature (is it a method?) of ``names`` below the package at ``place``."""
    while names and (place / names[0]).is_dir():
        place, names = place / names[0], names[1:]
    if names and (module := place / f"{names[0]}.py").is_file():
        return _find_in(module, names[1:])
    return _find_in(place / "__init__.py", names)


def _find_in(module: Path, names: list[str]) -> tuple[Path, _Definition, bool] | None:
    if not names or not module.is_file():
        return None
    for node in _statements(module):
        if isinstance(node, ast.FunctionDef) and node.name == names[0] and len(names) == 1:
            return module, node, False
        if isinstance(node, ast.ClassDef) and node.name == names[0]:
            if len(names) == 1:
                return module, node, False
            method = next((part for part in node.body if _is_function(part, names[1])), None)
            return (module, method, True) if isinstance(method, ast.FunctionDef) else None
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == names[0]:
                    return _imported(module, node, [alias.name, *names[1:]])
    return None


def _imported(module: Path, node: ast.ImportFrom, names: list[str]) -> tuple[Path, _Definition, bool] | None:
    """What a line ``from … import …`` of ``module`` refers to."""
    inner = (node.module or "").split(".") if node.module else []
    if node.level:
        return _find(module.parents[node.level - 1], [*inner, *names])
    package = _package(inner[0])
    return _find(package, [*inner[1:], *names]) if package else None


def _parameters(module: Path, definition: _Definition, method: bool) -> dict[str, str] | None:
    if isinstance(definition, ast.FunctionDef):
        arguments = definition.args
        if arguments.kwarg is not None:
            return None
        bound = method and not any(_name(d) == "staticmethod" for d in definition.decorator_list)
        given = [*arguments.posonlyargs, *arguments.args][1 if bound else 0 :]
        return {argument.arg: _annotation(argument) for argument in [*given, *arguments.kwonlyargs]}
    init = next((part for part in definition.body if _is_function(part, "__init__")), None)
    if isinstance(init, ast.FunctionDef):
        return _parameters(module, init, True)
    listed = any(_name(mark) == "dataclass" for mark in definition.decorator_list)
    if listed or any(_name(base) == "NamedTuple" for base in definition.bases):
        return dict(_fields(definition))
    # Without an __init__ of its own, a class takes what its first base takes, and without a base nothing.
    base = _name(definition.bases[0]) if definition.bases else "ABC"
    if base == "ABC":
        return {}
    found = _find_in(module, [base]) if base else None
    return None if found is None else _parameters(*found)


def _fields(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for part in definition.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            yield part.target.id, ast.unparse(part.annotation)


def _annotation(argument: ast.arg) -> str:
    return ast.unparse(argument.annotation) if argument.annotation else ""


def _is_function(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == name


def _name(node: ast.expr) -> str | None:
    """The last word of ``name``, ``module.name``, ``name(…)`` or ``name[…]``."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def _statements(module: Path) -> Iterator[ast.stmt]:
    """The module's, and those for type checkers: where names are that are imported when asked for."""
    for node in _tree(module).body:
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
            yield from node.body
        else:
            yield node


@functools.cache
def _tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))
