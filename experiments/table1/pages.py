"""The HTML page: the table, a grid for each row, and every target with what each row drew for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.baselines.contenders import PROMPTS, REFERENCES
from experiments.table1.claims import Verdict
from experiments.table1.measuring import Result
from experiments.table1.table import columns, reasons, text
from experiments.table1.worlds import World
from sdg.files import write_whole
from sdg.metrics.folder import read_manifest
from sdg.pages import template


def write(
    folder: Path, results: Sequence[Result], world: World, found: Sequence[Verdict], title: str
) -> Path:
    """Write ``index.html`` beside the folders of the rows; returns its path."""
    page = folder / "index.html"
    content = template("experiments.table1", "table1.html").render(
        title=title,
        heads=[column.title for column in columns(world)],
        rows=[_row(result, world) for result in results],
        claims=[(verdict.claim.text, verdict.word, reasons(verdict)) for verdict in found],
        prompts=_targets([result for result in results if result.row.kind == PROMPTS], "prompt"),
        references=_targets([result for result in results if result.row.kind == REFERENCES], "reference"),
    )
    write_whole(page, content)
    return page


def _row(result: Result, world: World) -> dict[str, Any]:
    """Our numbers and, below them, the paper's."""
    row, shown = result.row, columns(world)
    published = [f"{c.paper} {row.paper[c.key]:g}" if c.key in row.paper else "" for c in shown]
    return {
        "name": result.folder.name,
        "title": row.title,
        "cells": [text(column, result.values[column.key]) for column in shown],
        "paper": published if row.paper else [],
        "command": result.command,
    }


def _targets(results: Sequence[Result], key: str) -> list[dict[str, Any]]:
    """For every target, what each row drew for it."""
    drawn: dict[str, dict[str, list[str]]] = {}
    views: dict[str, str] = {}
    for result in results:
        for record in read_manifest(result.folder):
            if (target := record[key]) is not None:
                own = drawn.setdefault(target, {}).setdefault(result.row.title, [])
                own.append(f"{result.folder.name}/{record['file']}")
                if "reference_file" in record:
                    views.setdefault(target, f"{result.folder.name}/{record['reference_file']}")
    return [
        {
            "label": Path(target).stem if key == "reference" else target,
            "view": views.get(target),
            "rows": list(rows.items()),
        }
        for target, rows in drawn.items()
    ]
