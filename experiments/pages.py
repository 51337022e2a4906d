"""Parts of the pages that experiments write: the head, tables, and what numbers mean."""

from collections.abc import Iterable, Mapping, Sequence

import torch

import sdg
from experiments.running import machine
from sdg.metrics.measure import Measure


def head(title: str, command: str, what: str = "") -> list[str]:
    """Title, command, machine, versions, and what was drawn."""
    versions = f"sdg {sdg.__version__} and torch {torch.__version__.partition('+')[0]}"
    return [f"# {title}", "", f"`{command}`, on {machine()}, with {versions}. {what}".rstrip(), ""]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """A table whose first ``left`` columns hold words, and the others numbers; with an empty line below."""
    rule = "|" + "---|" * left + "---:|" * (len(heads) - left)
    return [row(*heads), rule, *(row(*cells) for cells in rows), ""]


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def cell(measure: Measure | None, form: str = ".2f", beside: bool = False) -> str:
    """A value with its floor or its interval, where it has one; a dash for what does not apply.

    Args:
        beside: write what it is compared with, too.
    """
    if measure is None:
        return "–"
    value = format(measure.value, form)
    if measure.beside is not None and measure.beside[0] == "floor":
        return f"{value} (floor {measure.beside[1]:{form}})"
    low, high = measure.interval or (0.0, 0.0)
    value += f" ({low:{form}} … {high:{form}})" if high > low else ""
    return f"{value}, {measure.beside[0]} {measure.beside[1]:{form}}" if beside and measure.beside else value


def change(measure: Measure, form: str = "+.3f") -> str:
    """A difference with its sign and its interval."""
    value = format(measure.value, form)
    if measure.interval is None:
        return value
    low, high = measure.interval
    return f"{value} ({low:{form}} … {high:{form}})"


def protocols(told: Mapping[str, str], over: str | None = None) -> list[str]:
    """What the numbers mean, and what their intervals are over."""
    lines = [f"- **{name}**: {text}." for name, text in told.items()]
    lines += [f"- Intervals: 95 %, over {over}."] if over else []
    return ["## Protocols", "", *lines, ""]
