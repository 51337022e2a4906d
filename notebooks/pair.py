"""Pair the notebooks: ``python notebooks/pair.py`` writes an .ipynb without outputs for each percent script.

The script is the source: a line ``# %%`` starts a code cell, ``# %% [markdown]`` a cell of commented text,
and ``# %% tags=["parameters"]`` marks the cell whose values a test may replace.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
_MARK = re.compile(r"^# %%(.*)\n", re.MULTILINE)


class Cell(NamedTuple):
    """One cell: ``kind`` is code or markdown."""

    kind: str
    source: str
    tags: list[str]


def read_cells(script: str) -> list[Cell]:
    """The cells of a percent script, in order; what stands before the first mark belongs to none."""
    _, *parts = _MARK.split(script)
    return [_cell(mark, source.strip("\n")) for mark, source in zip(parts[::2], parts[1::2], strict=True)]


def to_notebook(script: str) -> str:
    """The text of the .ipynb (format 4.5) with the cells of a percent script."""
    cells = [_plain(number, cell) for number, cell in enumerate(read_cells(script))]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(mark: str, source: str) -> Cell:
    if "[markdown]" in mark:
        return Cell("markdown", re.sub(r"^# ?", "", source, flags=re.MULTILINE), [])
    tags = re.search(r"tags=(\[.*\])", mark)
    return Cell("code", source, json.loads(tags[1]) if tags else [])


def _plain(number: int, cell: Cell) -> dict:
    code = {"execution_count": None, "outputs": []} if cell.kind == "code" else {}
    return {
        "cell_type": cell.kind,
        "id": f"cell-{number}",
        "metadata": {"tags": cell.tags} if cell.tags else {},
        "source": cell.source.splitlines(keepends=True),
    } | code


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("[0-9]*.py")):
        path.with_suffix(".ipynb").write_text(to_notebook(path.read_text(encoding="utf-8")), encoding="utf-8")
