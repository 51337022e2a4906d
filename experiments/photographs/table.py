"""The table of what the judge reads right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

import sdg
from experiments.photographs.examination import Finding
from sdg.files import write_whole


def write_table(
    found: Mapping[str, Sequence[Finding]], folder: Path, words: str, machine: str, judge: str
) -> None:
    """``judge.md``."""
    lines = [
        "# What the judge reads right on real photographs",
        "",
        f"`{words}`, on {machine}, with sdg {sdg.__version__} and torch {torch.__version__}; {judge}. "
        "95 % intervals are over pictures, each taken as drawn alone.",
        "",
        "| photographs | what | value | 95 % | pictures |",
        "|---|---|---|---|---|",
    ]
    for name, findings in found.items():
        for each in findings:
            ends = "–" if each.ends is None else f"{each.ends[0]:.3f} … {each.ends[1]:.3f}"
            lines.append(f"| {name} | {each.name} | {each.value:.3f} | {ends} | {each.count} |")
    write_whole(folder / "judge.md", "\n".join([*lines, ""]))
