"""The table: what is right, by both instruments, and what has drifted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.drift.ways import Way
from experiments.results import save_page
from sdg.data.toyfaces import ATTRIBUTES

RIGHT = {
    "mentioned right": ("alignment/mentioned", "alignment_redrawn/mentioned"),
    "all right": ("alignment/all", "alignment_redrawn/all"),
    **{
        value: (f"alignment/expression/{value}", f"alignment_redrawn/expression/{value}")
        for value in ATTRIBUTES["expression"]
    },
}
"""Column -> the measure by the judge, and by drawing again."""
REST = {"spread": "spread/all", "distance": "fd_judge_guided"}
DRIFT = "drift/"


def write_table(
    compared: Sequence[Way], reports: Mapping[str, dict], folder: Path, words: str, machine: str
) -> None:
    """``results.md``."""
    first = reports[compared[0].name]
    counts, versions = first["counts"], first["versions"]
    drifts = list(dict.fromkeys(
        name for report in reports.values() for name in report["measures"] if name.startswith(DRIFT)
    ))  # fmt: skip
    lines = [
        "# What guidance moves, and what it should",
        "",
        f"`{words}`, on {machine}, with sdg {versions['sdg']} and torch {versions['torch']}; "
        f"{counts['prompts']} held-out prompts, {counts['guided']} samples a way, from the same noises.",
        "",
        "## What prompts ask for: by the judge / by drawing again",
        "",
        f"| guided by | {' | '.join([*RIGHT, *REST])} |",
        "|---" * (1 + len(RIGHT) + len(REST)) + "|",
        *(
            f"| {way.name} | {' | '.join([*_right(reports[way.name]), *_rest(reports[way.name])])} |"
            for way in compared
        ),
        "",
        "## What they don't: drift, with its 95 % interval",
        "",
        f"| guided by | {' | '.join(name.removeprefix(DRIFT) for name in drifts)} |",
        "|---" * (1 + len(drifts)) + "|",
        *(
            f"| {way.name} | {' | '.join(_cell(reports[way.name], name, 2) for name in drifts)} |"
            for way in compared
        ),
        "",
        "## Settings",
        "",
        *(f"- {way.name}: `{' '.join(way.settings)}`" for way in compared if way.settings),
        "",
        "## Protocols",
        "",
        *(f"- **{name}**: {protocol}." for name, protocol in first["protocols"].items()),
        "",
    ]
    save_page(folder / "results.md", lines, __package__)


def _right(report: dict) -> list[str]:
    return [" / ".join(_value(report, name) for name in names) for names in RIGHT.values()]


def _rest(report: dict) -> list[str]:
    distance = report["measures"].get(REST["distance"])
    if distance is None:
        return [_cell(report, REST["spread"], 2), "–"]
    apart = f"{distance['value']:.3g} (floor {distance['beside']['floor']:.3g})"
    return [_cell(report, REST["spread"], 2), apart]


def _value(report: dict, name: str) -> str:
    measure = report["measures"].get(name)
    return "–" if measure is None else f"{measure['value']:.2f}"


def _cell(report: dict, name: str, digits: int) -> str:
    measure = report["measures"].get(name)
    if measure is None:
        return "–"
    low, high = measure.get("interval", (0.0, 0.0))
    interval = f" ({low:.{digits}f} … {high:.{digits}f})" if high > low else ""
    return f"{measure['value']:.{digits}f}{interval}"
