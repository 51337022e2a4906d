"""Finds settings for the methods that have none for this prior, on prompts that no result is measured on."""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from experiments.baselines import page
from experiments.baselines.contenders import CONTENDERS, PROMPTS, STEPS, Settings, at_hand, brief, words
from experiments.baselines.measures import DIVERSITY, aligned
from experiments.baselines.runs import Bench, drawn, seconds_per_image
from experiments.pages import head, table
from experiments.running import named, some
from experiments.text_alignment.prompts import TUNING
from sdg.files import write_whole
from sdg.metrics.measure import Measure
from sdg.metrics.pictures import open_samples


class Point(NamedTuple):
    """One setting of one method."""

    name: str
    settings: Settings
    values: dict[str, Measure]
    cpu: float | None
    """CPU seconds per image."""


def study(options: argparse.Namespace) -> Path:
    """Draw and measure all settings, and keep the best of every method; returns the page."""
    grids: dict[str, list[Settings]] = {
        "clip_x0": [{"guidance.scale": scale} for scale in options.clip_scales],
        "stylegan_clip": [
            {"method.search.space.space": space, STEPS: steps, "method.search.lr": rate}
            for space in options.spaces
            for steps in options.search_steps
            for rate in options.rates
        ],
    }
    names = at_hand(options.methods, options.sample)
    prompts, bench = some(TUNING, options.prompts), Bench(options, TUNING)
    free = open_samples(drawn(options, "unguided", ["method=unguided"], options.samples))
    points = []
    for name in names:
        for settings in grids[name]:
            print(" ".join([name, *words(settings)]), flush=True)
            run = "_".join([name, *map(brief, settings.values())])
            given = [*CONTENDERS[name].settings[PROMPTS], *words(settings), named(PROMPTS, prompts)]
            folder = drawn(options, run, given, options.samples)
            evidence = bench(open_samples(folder), free)
            values = aligned(evidence) | {"diversity": DIVERSITY(evidence)[0]}
            points.append(Point(name, settings, values, seconds_per_image(folder, "cpu")))
    best = [choose([point for point in points if point.name == name]) for name in names]
    options.report.mkdir(parents=True, exist_ok=True)
    found = {point.name: point.settings for point in best} | in_steps(points)
    write_whole(options.report / "settings.json", json.dumps(found, indent=2) + "\n")
    return page.save(options, "sweep", lines(options, points, best))


def choose(points: list[Point]) -> Point:
    """The setting with the most mentioned attributes right; in a tie the first, which is the mildest."""
    return max(points, key=lambda point: point.values["mentioned right"].value)


def in_steps(points: list[Point]) -> dict[str, Settings]:
    """The best setting for each number of search steps, for comparisons that can afford no more of them."""
    counts = dict.fromkeys((point.name, steps) for point in points if (steps := point.settings.get(STEPS)))
    return {
        f"{name}_{steps}": choose(
            [p for p in points if (p.name, p.settings.get(STEPS)) == (name, steps)]
        ).settings
        for name, steps in counts
    }


def lines(options: argparse.Namespace, points: list[Point], best: list[Point]) -> list[str]:
    """The page."""
    what = (
        f"{options.prompts} prompts of `{TUNING.name}`, on which no result is measured, {options.samples} "
        f"samples of each; chains take {options.steps} steps of ddpm. Bold: the most mentioned attributes "
        "right, kept in `settings.json`, where `methods` finds it; so is the best for each number of search "
        "steps, where `table1` finds it."
    )
    names = list(points[0].values)
    rows = []
    for point in points:
        text = f"`{' '.join(words(point.settings))}`"
        cells = [page.cell(name, measure) for name, measure in point.values.items()]
        rows.append([point.name, f"**{text}**" if point in best else text, *cells, page.seconds(point.cpu)])
    return [
        *head("Settings of the baselines", options.command, what),
        *table(["method", "settings", *names, "CPU seconds per image"], rows, left=2),
        *page.protocols(["mentioned right, all right", "diversity"], {}),
    ]
