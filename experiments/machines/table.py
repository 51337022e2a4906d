"""The page: how far pictures and measures are from those of the first machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.running import machine
from sdg.metrics.pictures import open_samples

MEASURES = {
    "fd_judge_reference": "Fréchet distance (judge)",
    "diversity_judge": "diversity",
    "retrieval_judge/top_1": "top-1",
    "retrieval_judge/top_5": "top-5",
    "alignment/mentioned": "attributes right",
}


def document(
    reports: Mapping[str, Mapping[str, Any]],
    folders: Mapping[str, Path],
    machines: Mapping[str, Mapping[str, str]],
    called: str,
) -> list[str]:
    """The lines of the page; the first report is what others are compared with."""
    names = list(reports)
    first = guided(folders[names[0]])
    lines = [
        "# How much a row moves between machines",
        "",
        f"`{called}`, on {machine()}. The row {folders[names[0]].name!r} of table 1, "
        f"{len(first)} pictures, drawn under other instruction sets and numbers of threads. In brackets: the "
        "95 % interval, of which the last column has half, to hold the largest change against.",
        "",
    ]
    for name in names:
        given = " ".join(f"{key}={value}" for key, value in machines[name].items())
        lines.append(f"- **{name}**: {f'`{given}`' if given else 'nothing is set'}")
    lines += [
        "",
        "## Pictures",
        "",
        "| | pictures that differ | by 8 of 255 or more somewhere | mean change | largest |",
    ]
    lines.append("|---|---:|---:|---:|---:|")
    for name in names[1:]:
        lines.append(f"| {name} | {' | '.join(apart(first, guided(folders[name])))} |")
    lines += ["", "## Measures", "", f"| | {' | '.join(names)} | largest change | half the interval |"]
    lines.append("|---|" + "---:|" * (len(names) + 2))
    for measure, title in MEASURES.items():
        cells = [reports[name]["measures"].get(measure) for name in names]
        if all(cells):
            lines.append(f"| {title} | {' | '.join(compared(cells))} |")
    return [*lines, ""]


def compared(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The values, the largest change from the first, and half of the first one's interval."""
    values = [cell["value"] for cell in cells]
    low, high = cells[0].get("interval", (float("nan"),) * 2)
    moved = max(abs(value - values[0]) for value in values)
    first = f"{values[0]:.3f} ({low:.3f} … {high:.3f})"
    return [first, *(f"{value:.3f}" for value in values[1:]), f"{moved:.3f}", f"{(high - low) / 2:.3f}"]


def apart(first: Tensor, other: Tensor) -> list[str]:
    """How many pictures (N, 3, S, S) uint8 differ, how many visibly, and by how much."""
    away = (first.int() - other.int()).abs().flatten(1)
    worst = away.amax(dim=1)
    counts = [f"{int((worst >= least).sum())} of {len(first)}" for least in (1, 8)]
    return [*counts, f"{away.double().mean():.2f}", str(int(worst.max()))]


def guided(folder: Path) -> Tensor:
    """The guided pictures of a run, in its order: (N, 3, S, S) uint8."""
    samples = open_samples(folder)
    rows = [row for row, record in enumerate(samples.records) if record["prompt"] is not None]
    return torch.cat(list(samples.batches(rows, 64)))
