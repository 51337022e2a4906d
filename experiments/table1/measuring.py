"""The settings of ``evaluate.py`` for a row, and its results, column by column."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.baselines.contenders import PROMPTS
from experiments.differences import difference
from experiments.running import configuration
from experiments.table1.rows import Row
from experiments.table1.worlds import World
from sdg.metrics.measure import Measure
from sdg.metrics.run import evaluate

TOPS = ("top_1", "top_5", "top_10", "top_20")
_SDG = "sdg.metrics.retrieve"


class Result(NamedTuple):
    """A row with its numbers."""

    row: Row
    folder: Path
    values: dict[str, Measure | None]
    """Column -> measure; None: does not apply to this row, or was not measured."""
    command: str
    """Repeats the measurement."""
    protocols: dict[str, str]


class Pool(NamedTuple):
    """The pool in which samples have to find their targets."""

    prompts: Path
    texts: int
    """Different texts in that file."""
    references: int


def settings(row: Row, folder: Path, world: World, metrics: Sequence[str], pool: Pool) -> list[str]:
    """Settings of ``evaluate.py`` for a row: the world's metrics that can be measured, and ours."""
    found, texts = world.found[row.kind], row.kind == PROMPTS
    # A pair has one sample, so no diversity.
    wanted = (world.distance, found) if row.paired else (world.distance, world.diversity, found)
    chosen = [metric for metric in wanted if metric in metrics]
    given = [f"samples='{folder}'"]
    if found in chosen and texts:
        given += [f"metrics.{found}.pool='{pool.prompts}'", f"metrics.{found}.least={min(100, pool.texts)}"]
    elif found in chosen:
        given.append(f"metrics.{found}.least={min(100, pool.references)}")
    if found in chosen and row.guide is not None:
        given.append(f"+metrics.by_guide={_by_guide(row.guide, world, pool, texts)}")
    if world.judged:
        given.append(f"mentions='{pool.prompts}'")
        if texts:
            chosen.append("alignment")
        else:
            given.append("+metrics.kept={_target_: experiments.references.Kept}")
    return [f"metrics=[{','.join(chosen)}]", *given]


def _by_guide(guide: str, world: World, pool: Pool, texts: bool) -> str:
    """For texts, retrieval by the guide minus by the held-out encoder; for pictures, by the guide alone."""
    if texts:
        least = min(100, pool.texts)
        return (
            f"{{_target_: {_SDG}.AdversarialGap, guide: {guide}, held_out: {world.held_out}, "
            f"pool: '{pool.prompts}', least: {least}}}"
        )
    return f"{{_target_: {_SDG}.ReferenceRetrieval, encoder: {guide}, least: {min(100, pool.references)}}}"


def measure(
    row: Row,
    folder: Path,
    world: World,
    metrics: Sequence[str],
    pool: Pool,
    more: Sequence[str],
    seconds: float | None,
) -> Result:
    """Evaluate a row, which leaves ``metrics.json`` in its folder."""
    words = [*settings(row, folder, world, metrics, pool), *more]
    report, measures, _ = evaluate(configuration("evaluate", words)).whole()
    found = world.found[row.kind]
    values = {
        "distance": measures.get(world.distance),
        "diversity": measures.get(world.diversity),
        **{top: measures.get(f"{found}/{top}") for top in TOPS},
        "attributes": measures.get("alignment/mentioned" if row.kind == PROMPTS else "kept/attributes"),
        "gap": _gap(measures, found, row.kind == PROMPTS),
        "seconds": None if seconds is None else Measure("", seconds, 0),
    }
    command = shlex.join(["python", "evaluate.py", *words])
    return Result(row, folder, values, command, report["protocols"])


def _gap(measures: dict[str, Measure], found: str, texts: bool) -> Measure | None:
    own, other = measures.get("by_guide/top_1"), measures.get(f"{found}/top_1")
    return own if texts or own is None or other is None else difference(own, other)
