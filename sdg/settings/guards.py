"""What constructors refuse by their arguments alone, read from their source: importing torch takes seconds.

A constructor that begins with ::

    if not 0 <= eta <= 1:
        raise SDGError(f"sampler.rule.eta={eta} is out of range: use 0 (deterministic) to 1 (ancestral)")

says at once what it cannot take. Those tests and their words are evaluated here as they stand there, so that
one place knows the range. Tests of more than arguments and numbers are left to the constructor itself.
"""

import ast
import copy
import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from sdg.errors import SDGError
from sdg.settings.known import nodes
from sdg.settings.signatures import constructor

_WORDS: dict[str, Any] = {
    "__builtins__": {},
    **{kind.__name__: kind for kind in (bool, float, int, isinstance, len, str)},
    "math": math,
}
"""What a test may name beside the arguments."""


def check(settings: Mapping[str, Any]) -> None:
    """Refuse what a constructor named in the settings would; raises as :func:`refuse`."""
    for _, node in nodes(settings):
        if isinstance(target := node.get("_target_"), str):
            refuse(target, node)


def refuse(target: str, settings: Mapping[str, Any]) -> None:
    """Raise what the constructor of ``target`` would raise for these arguments, if its source tells.

    Args:
        target: ``package.module.Class``, or a function.
        settings: its arguments, and others that it does not take; ``${…}`` and objects tell nothing.

    Raises:
        SDGError: the constructor's own line.
    """
    names = {name: value for name, value in settings.items() if _is_plain(value)}
    for test, words in _guards(target):
        if _value(test, names):
            raise SDGError(_value(words, names))


@functools.cache
def _guards(target: str) -> tuple[tuple[ast.expr, ast.expr], ...]:
    """The tests at the head of a constructor that end in an SDGError, and its line."""
    found = constructor(target)
    return tuple(_read(_OfFields().visit(copy.deepcopy(found)))) if found else ()


class _OfFields(ast.NodeTransformer):
    """In ``__post_init__`` the arguments are attributes: ``self.dtype`` is the argument ``dtype``."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        own = isinstance(node.value, ast.Name) and node.value.id == "self"
        return ast.copy_location(ast.Name(node.attr, node.ctx), node) if own else node


def _read(definition: ast.FunctionDef) -> Iterator[tuple[ast.expr, ast.expr]]:
    assigned = set[str]()  # from there on a name may mean another value
    for statement in definition.body:
        match statement:
            case ast.If(
                test=test,
                body=[ast.Raise(exc=ast.Call(func=ast.Name(id="SDGError"), args=[words]))],
                orelse=[],
            ) if not assigned & (_names(test) | _names(words)):
                yield test, words
            case _:
                assigned |= {node.id for node in _all_names(statement) if isinstance(node.ctx, ast.Store)}


def _all_names(node: ast.AST) -> Iterator[ast.Name]:
    return (name for name in ast.walk(node) if isinstance(name, ast.Name))


def _names(expression: ast.expr) -> set[str]:
    return {name.id for name in _all_names(expression)}


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return "${" not in value
    return value is None or isinstance(value, bool | int | float)


def _value(expression: ast.expr, names: Mapping[str, Any]) -> Any:
    """What an expression is for these arguments; None if it names another thing, or cannot be worked out."""
    if not _names(expression) <= names.keys() | _WORDS.keys():
        return None
    code = compile(ast.Expression(expression), "<constructor>", "eval")
    try:
        return eval(code, {**_WORDS, **names})
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return None
