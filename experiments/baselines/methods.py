"""Every method on the same prompts, references and seeds."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image

from experiments.baselines import page
from experiments.baselines.contenders import CONTENDERS, PROMPTS, REFERENCES, SWEPT, at_hand, tuned, words
from experiments.baselines.measures import Measures, towards_prompts, towards_references
from experiments.baselines.runs import Bench, drawn, faces, led_by_chance, seconds_per_image
from experiments.differences import difference
from experiments.pages import head, table
from experiments.running import named, some
from experiments.text_alignment.prompts import HELD_OUT
from sdg.metrics.measure import Measure
from sdg.metrics.pictures import open_samples
from sdg.report.grid import draw_grid, open_picture

CLAIMS = (
    # kind of target, claim, measure, which method has more, which has less
    (REFERENCES, "SDG keeps more of what a reference shows than ILVR", "found by the judge", "sdg", "ilvr"),
    (REFERENCES, "SDG is more diverse than ILVR", "diversity", "sdg", "ilvr"),
    (PROMPTS, "SDG is more diverse than StyleGAN+CLIP", "diversity", "sdg", "stylegan_clip"),
    (
        PROMPTS,
        "StyleGAN+CLIP is stronger on the CLIP that it climbs on",
        "cosine by CLIP",
        "stylegan_clip",
        "sdg",
    ),
)
"""The paper's claims, in our measures."""
CLOCKS: dict[str, Literal["wall", "cpu"]] = {"seconds per image": "wall", "CPU seconds per image": "cpu"}


class Run(NamedTuple):
    """One method on one kind of target."""

    folder: Path
    settings: list[str]
    values: Measures


Runs = dict[str, dict[str, Run]]
"""Kind of target -> method -> run."""


def study(options: argparse.Namespace) -> Path:
    """Draw, measure and show all methods that can be run; returns the page."""
    names = at_hand(options.methods, options.sample)
    for name in names:
        if name in SWEPT and not tuned(name, options):
            print(
                f"{name} runs with its configured settings: {options.settings}, which sweep writes, has none"
            )
    references = faces(options.output, options.sample, options.references)
    targets = {PROMPTS: some(HELD_OUT, options.prompts), REFERENCES: references}
    bench = Bench(options, HELD_OUT)
    count = options.samples * max(map(len, targets.values()))
    # The first run of a process also waits for late imports.
    drawn(options, "warm_up", ["method=unguided", "sampler.steps=1"], 1)
    before = drawn(options, "unguided", ["method=unguided"], count)
    free = open_samples(before)
    runs: Runs = {PROMPTS: {}, REFERENCES: {}}
    for name in names:
        contender, settings = CONTENDERS[name], words(tuned(name, options))
        for kind, given in contender.settings.items():
            print(" ".join([name, kind, *settings]), flush=True)
            if name == "unguided":
                folder, own = before, led_by_chance(free, targets[kind], kind, options.samples)
            else:
                run = "_".join([name, kind, *(word.partition("=")[2] for word in settings)])
                folder = drawn(options, run, [*given, *settings, named(kind, targets[kind])], options.samples)
                own = open_samples(folder)
            measures = towards_prompts if kind == PROMPTS else towards_references
            runs[kind][name] = Run(folder, settings, measures(bench(own, free), contender.guide))
    return page.save(options, "methods", lines(options, runs), figure(runs, targets))


def lines(options: argparse.Namespace, runs: Runs) -> list[str]:
    """The page."""
    what = (
        f"{options.prompts} prompts and {options.references} faces nobody was trained on, {options.samples} "
        f"samples of each, with the same seeds; chains take {options.steps} steps of ddpm."
    )
    shown = [
        *head("All methods side by side", options.command, what),
        "![One sample of each](methods.png)",
        "",
    ]
    for title, kind in (("Prompts", PROMPTS), ("References", REFERENCES)):
        if runs[kind]:
            shown += [f"## {title}", "", *_table(runs[kind])]
    shown += ["## What the paper says of them", "", *_claims(runs), "", "## Settings", ""]
    changed = {name: run.settings for own in runs.values() for name, run in own.items() if run.settings}
    shown += [f"- {name}: `{' '.join(settings)}`" for name, settings in changed.items()]
    more = {
        "cosine by E', by CLIP": "of sample and target, by the time-dependent encoder at t = 0, which guides "
        "sdg, and by the plain CLIP that it was made from, which guides clip_x0 and stylegan_clip",
        "found by": f"share of samples whose own target is the most similar one: of {HELD_OUT.name}'s "
        "prompts (what the judge reads, against what they mention), or of references (cosine of features)",
        "adversarial gap": "found by its guide minus found by the judge, which guides nobody",
        "seconds per image": "time of the whole run, loading and writing included, by its images; CPU "
        "seconds are those in which the process had the processor, whatever else ran",
        "unguided": "the prior's own samples, other ones for every target: what chance gives",
    }
    names = ["mentioned right, all right", "attributes kept", "distance in pose", "diversity"]
    return [*shown, "", "All other settings are the configured ones.", "", *page.protocols(names, more)]


def _table(runs: dict[str, Run]) -> list[str]:
    """A row for each measure, a column for each method."""
    names = next(iter(runs.values())).values
    rows = [[name, *(page.cell(name, run.values[name]) for run in runs.values())] for name in names]
    for name, clock in CLOCKS.items():
        rows.append([name, *(page.seconds(seconds_per_image(r.folder, clock)) for r in runs.values())])
    return table(["", *runs], rows)


def _claims(runs: Runs) -> list[str]:
    """Whether the paper's orderings hold here."""
    told = []
    for kind, claim, measure, more, less in CLAIMS:
        if more not in runs[kind] or less not in runs[kind]:
            continue
        first, second = (runs[kind][name].values[measure] or Measure("", 0.0, 0) for name in (more, less))
        one, other = (page.cell(measure, value) for value in (first, second))
        low, high = difference(first, second).interval or (0.0, 0.0)
        verdict = (
            "so it is here" if low > 0 else "the other way round here" if high < 0 else "not to be told here"
        )
        told.append(f"- {claim}: {verdict} ({measure}: {one} against {other}).")
    return told or ["The methods that it speaks of were not drawn."]


def figure(runs: Runs, targets: dict[str, list[str]]) -> Image.Image:
    """A row for each prompt and reference, a column for each method; blank if it takes no such target."""
    names = [name for name in CONTENDERS if any(name in own for own in runs.values())]
    drawings = {(kind, name): _first(run.folder, kind) for kind in runs for name, run in runs[kind].items()}
    blank = Image.new("RGB", open_picture(targets[REFERENCES][0]).size, "white")
    rows: list[tuple[str, Sequence[Image.Image]]] = []
    for kind, own in targets.items():
        for target in own:
            lead = blank if kind == PROMPTS else open_picture(target)
            files = [drawings.get((kind, name), {}) for name in names]
            pictures = [found.get(target) or found.get(None) for found in files]
            shown = [blank if path is None else open_picture(path) for path in pictures]
            rows.append((target if kind == PROMPTS else "", [lead, *shown]))
    return draw_grid(rows, ["reference", *names], lead=1, group=len(names))


def _first(folder: Path, kind: str) -> dict[str | None, Path]:
    """Target -> its sample of index 0; the key is None if a run aims at nothing."""
    run, key = open_samples(folder), kind.removesuffix("s")
    found = zip(run.files, run.records, strict=True)
    return {record[key]: file for file, record in found if record["index"] == 0}
