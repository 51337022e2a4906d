"""The table of the experiment."""

from collections.abc import Mapping
from pathlib import Path

import torch

import sdg
from experiments.results import save_page
from experiments.samplers.study import MEASURED, POSTERIOR, PRIOR, TAU, Summary, chance, closed_form

Errors = dict[tuple[bool, str], dict[int, Summary]]
"""(guided, name of the method) -> steps -> what was drawn minus the closed form."""


def write_table(errors: Errors, pixels: int, folder: Path, command: str, machine: str) -> None:
    """``results.md``: the error against the closed form, for every sampler and number of steps."""
    lines = [
        "# Samplers against the closed form, measured",
        "",
        f"`{command}`, on {machine}, with sdg {sdg.__version__} and torch {torch.__version__.split('+')[0]}.",
        "",
        "![The curve](curve.png)",
        "",
        "## The closed form",
        "",
        "| | mean | variance | mode shares |",
        "|---|---|---|---|",
        _closed_form("prior", closed_form(PRIOR)),
        _closed_form(f"posterior, y = {MEASURED:g}, τ = {TAU:g}", closed_form(POSTERIOR)),
    ]
    for guided, title in ((False, "Unguided, against the prior"), (True, "Guided, against the posterior")):
        mine = {name: by_steps for (kind, name), by_steps in errors.items() if kind == guided}
        floor = chance(POSTERIOR if guided else PRIOR, pixels)
        lines += [
            "",
            f"## {title}",
            "",
            "Errors in the mean, in the variance, and in the mode shares: the share of pixels in a wrong "
            f"mode. Of {pixels:,} pixels, as many as were drawn, exact draws have standard errors of "
            f"{floor[0]:.4f} in the mean and {floor[1]:.4f} in the variance, and a share of about "
            f"{floor[2]:.4f} seems misplaced.",
            "",
            *_rows(mine),
        ]
    save_page(folder / "results.md", lines, __package__)


def _closed_form(name: str, summary: Summary) -> str:
    shares = " · ".join(f"{share:.4f}" for share in summary.shares)
    return f"| {name} | {summary.mean:.4f} | {summary.variance:.4f} | {shares} |"


def _rows(errors: Mapping[str, Mapping[int, Summary]]) -> list[str]:
    steps = list(next(iter(errors.values())))
    lines = [
        "| sampler | error in | " + " | ".join(f"{n} steps" for n in steps) + " |",
        "|---|---|" + "---:|" * len(steps),
    ]
    for name, by_steps in errors.items():
        for label, read in (
            (f"| {name} | mean |", lambda e: f"{e.mean:+.4f}"),
            ("| | variance |", lambda e: f"{e.variance:+.4f}"),
            ("| | mode shares |", lambda e: f"{e.misplaced:.4f}"),
        ):
            lines.append(" ".join([label, " | ".join(read(by_steps[n]) for n in steps), "|"]))
    return lines
