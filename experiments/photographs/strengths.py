"""How strong each way is on photographs: one ladder for all, and one rule."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.grid import Columns, Point, listed
from experiments.pages import head, protocols
from experiments.photographs.studies import SIZES, Studies
from experiments.photographs.ways import DIVERSITY, FEWER, KEEP, RUNGS, Control, Way, choose, kept
from experiments.results import save_page
from sdg.files import write_whole

FILE = "strengths.json"
RULE = (
    "the one that does best in its goal among those whose samples of a target keep "
    f"{KEEP['prompts']:g} of the unguided diversity, or {KEEP['references']:g} towards a picture; if none "
    "does, the weakest"
)


def find_strengths(options: argparse.Namespace, controls: Mapping[str, Control]) -> Path:
    """Draw the ladder of every control that has a strength; write ``strengths.json`` and ``.md``."""
    studies, chosen = Studies(options, SIZES["strengths"]), dict[str, float]()
    lines, told = list[str](), dict[str, str]()
    for name, control in controls.items():
        if not control.knobs:
            continue
        points = studies.study(control.kind).all([rung(name, control, n, options.sample) for n in RUNGS])
        best = choose(points)
        chosen[name] = best.way.times
        lines += _table(points, control, best)
        told |= points[0].report["protocols"]
    options.report.mkdir(parents=True, exist_ok=True)
    write_whole(options.report / FILE, json.dumps(chosen, indent=1) + "\n")
    top = head("How strong guidance is to be on photographs", options.command, f"Chosen: {RULE}.")
    return save_page(options.report / "strengths.md", [*top, *lines, *protocols(told)], __package__)


def rung(name: str, control: Control, times: float, sample: Sequence[str]) -> Way:
    """A control at a multiple of its configured strength."""
    return Way(f"{name}_{times:g}", control, times, control.settings(times, sample))


def _table(points: Sequence[Point[Way]], control: Control, best: Point[Way]) -> list[str]:
    less = " (less is better)" if control.goal in FEWER else ""
    columns: Columns = {
        control.goal: (f"{control.goal}{less}", ".3f"),
        DIVERSITY: ("diversity", ".3f"),
        "kd_judge": ("kernel distance", ".4f"),
    }
    more = {
        "kept of it": lambda p: f"{kept(p):.2f}",
        "chosen": lambda p: "yes" if p is best else "",
    }
    return [f"## {control.title.capitalize()}", "", *listed(["way", "strength"], points, columns, more, True)]
