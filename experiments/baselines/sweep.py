"""Finds settings for the methods that have none for this prior, on prompts that no result is measured on."""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from experiments.baselines.contenders import CONTENDERS, PROMPTS, STEPS, Settings, at_hand, brief, words
from experiments.grid import Columns, Point, Study, listed
from experiments.pages import head, protocols
from experiments.results import save_page
from experiments.text_alignment.prompts import TUNING
from sdg.files import write_whole

COLUMNS: Columns = {
    "alignment/mentioned": ("mentioned right", ".2f"),
    "alignment/all": ("all right", ".2f"),
    "diversity_judge": ("diversity", ".3f"),
}


class Way(NamedTuple):
    """One setting of one method."""

    method: str
    own: Settings

    @property
    def name(self) -> str:
        return "_".join([self.method, *map(brief, self.own.values())])

    @property
    def settings(self) -> list[str]:
        return [*CONTENDERS[self.method].settings[PROMPTS], *words(self.own)]

    @property
    def told(self) -> list[str]:
        return [self.method, f"`{' '.join(words(self.own))}`"]


def study(options: argparse.Namespace) -> Path:
    """Draw and measure all settings, and keep the best of every method; returns the page."""
    searches = product(options.spaces, options.search_steps, options.rates)
    tried: dict[str, list[Settings]] = {
        "clip_x0": [{"guidance.scale": scale} for scale in options.clip_scales],
        "stylegan_clip": [
            {"method.search.space.space": space, STEPS: steps, "method.search.lr": rate}
            for space, steps, rate in searches
        ],
    }
    ways = [Way(name, own) for name in at_hand(options.methods, options.sample) for own in tried[name]]
    points = Study(options, ["metrics=[alignment,diversity_judge]"], TUNING, parts=1).all(ways)
    best = chosen(points)
    options.report.mkdir(parents=True, exist_ok=True)
    write_whole(options.report / "settings.json", json.dumps(best, indent=2) + "\n")
    what = (
        f"{options.prompts} prompts of `{TUNING.name}`, on which no result is measured, {options.samples} "
        f"samples of each; chains take {options.steps} steps of ddpm. Chosen: the most mentioned attributes "
        "right, in a tie the mildest; kept in `settings.json`, where `methods` finds it, and so is the best "
        "for each number of search steps, where `table1` finds it."
    )
    taken = {"chosen": lambda p: "yes" if best[p.way.method] == p.way.own else ""}
    lines = [
        *head("Settings of the baselines", options.command, what),
        *listed(["method", "settings"], points, COLUMNS, taken),
        *protocols(points[0].report["protocols"]),
    ]
    return save_page(options.report / "sweep.md", lines, __package__)


def chosen(points: Sequence[Point[Way]]) -> dict[str, Settings]:
    """Method -> its best settings; so for each number of search steps, for those who can afford no more."""
    groups: dict[str, list[Point[Way]]] = {}
    for point in points:
        groups.setdefault(point.way.method, []).append(point)
    for point in points:
        if steps := point.way.own.get(STEPS):
            groups.setdefault(f"{point.way.method}_{brief(steps)}", []).append(point)
    return {
        name: max(own, key=lambda point: point.value("alignment/mentioned")).way.own
        for name, own in groups.items()
    }
