"""Every method on the same prompts, references and seeds."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from experiments.baselines.contenders import CONTENDERS, PROMPTS, REFERENCES, SWEPT, at_hand, tuned, words
from experiments.differences import difference
from experiments.grid import Columns, Point, Study, Way
from experiments.pages import cell, head, protocols, table
from experiments.pictures import side_by_side
from experiments.references import write
from experiments.results import save_page
from experiments.running import seconds_per_image, some
from experiments.text_alignment.prompts import HELD_OUT

_RETRIEVAL = "{{_target_: sdg.metrics.retrieve.{kind}, encoder: {encoder}, {pool}least: {least}}}"
FOUND = {"found_judge": "the judge", "found_guide": "E'", "found_clip": "CLIP"}
COLUMNS: Mapping[str, Columns] = {
    PROMPTS: {
        "alignment/mentioned": ("mentioned right", ".2f"),
        "alignment/all": ("all right", ".2f"),
    },
    REFERENCES: {
        "kept/attributes": ("attributes kept", ".2f"),
        "kept/pose": ("distance in pose", ".2f"),
    },
}
SHARED: Columns = {
    **{f"{name}/top_1": (f"found by {who}", ".2f") for name, who in FOUND.items()},
    "diversity_judge": ("diversity", ".3f"),
}
CLAIMS = (
    # kind of target, claim, measure, which method has more, which has less
    (REFERENCES, "SDG keeps more of what a reference shows than ILVR", "found_judge/top_1", "sdg", "ilvr"),
    (REFERENCES, "SDG is more diverse than ILVR", "diversity_judge", "sdg", "ilvr"),
    (PROMPTS, "SDG is more diverse than StyleGAN+CLIP", "diversity_judge", "sdg", "stylegan_clip"),
    (PROMPTS, "StyleGAN+CLIP is stronger on the CLIP that it climbs on", "found_clip/top_1",
     "stylegan_clip", "sdg"),
)  # fmt: skip
"""The paper's claims, in our measures."""
Found = Mapping[str, Mapping[str, Point[Way]]]
"""Kind of target -> method -> what was measured."""


def study(options: argparse.Namespace) -> Path:
    """Draw, measure and show all methods that can be run; returns the page."""
    names = at_hand(options.methods, options.sample)
    for name in names:
        if name in SWEPT and not tuned(name, options):
            print(f"{name} runs with its configured settings: {options.settings}, of sweep, has none")
    faces, _ = write(options.output, options.sample, options.references)
    targets = {PROMPTS: some(HELD_OUT, options.prompts), REFERENCES: faces}
    found: Found = {
        kind: _drawn(options, kind, aims, [name for name in names if kind in CONTENDERS[name].settings])
        for kind, aims in targets.items()
    }
    for kind, own in found.items():
        if own:
            side_by_side(
                list(own.values()), [*own], targets[kind][:6], options.report / f"{_picture(kind)}.png"
            )
    return save_page(options.report / "methods.md", lines(options, found), __package__)


def _drawn(
    options: argparse.Namespace, kind: str, targets: list[str], names: list[str]
) -> dict[str, Point[Way]]:
    ways = {}
    for name in names:
        own = words(tuned(name, options))
        run = "_".join([name, kind, *(word.partition("=")[2] for word in own)])
        ways[name] = Way(run, [*CONTENDERS[name].settings[kind], *own])
    points = Study(options, metrics(kind, len(targets)), aims={kind: targets}, parts=1).all([*ways.values()])
    return dict(zip(ways, points, strict=True))


def metrics(kind: str, targets: int) -> list[str]:
    """Settings of ``evaluate.py``: what is asked for, who finds it, and how samples differ."""
    texts = kind == PROMPTS
    asked = ["alignment"] if texts else []
    kept = [] if texts else ["+metrics.kept={_target_: experiments.references.Kept}"]
    told = {"kind": "TextRetrieval", "pool": f"pool: '{HELD_OUT}', ", "least": 40}
    told = told if texts else {"kind": "ReferenceRetrieval", "pool": "", "least": targets}
    encoders = zip(FOUND, ("judge_answers" if texts else "judge", "guide", "clip_guide"), strict=True)
    found = [f"+metrics.{name}={_RETRIEVAL.format(encoder=encoder, **told)}" for name, encoder in encoders]
    return [f"metrics=[{','.join([*asked, 'diversity_judge'])}]", *kept, *found]


def lines(options: argparse.Namespace, found: Found) -> list[str]:
    """The page."""
    what = (
        f"{options.prompts} prompts and {options.references} faces nobody was trained on, {options.samples} "
        f"samples of each, with the same seeds; chains take {options.steps} steps of ddpm."
    )
    shown, told = head("All methods side by side", options.command, what), dict[str, str]()
    for kind, points in found.items():
        if not points:
            continue
        columns = COLUMNS[kind] | SHARED
        rows = [
            [title, *(cell(p.measures.get(name), form, beside=True) for p in points.values())]
            for name, (title, form) in columns.items()
        ]
        # The first part is the only one.
        runs = {
            name: point.folder.parent / "parts" / f"{point.folder.name}_0" for name, point in points.items()
        }
        seconds = [seconds_per_image(folder, "cpu") for folder in runs.values()]
        rows.append(["CPU seconds per image", *("–" if each is None else f"{each:.2f}" for each in seconds)])
        shown += [f"## {kind.capitalize()}", "", f"![One sample of each]({_picture(kind)}.png)", ""]
        shown += table(["", *points], rows)
        told |= next(iter(points.values())).report["protocols"]
    changed = {point.way.name: point.way.settings for own in found.values() for point in own.values()}
    return [
        *shown,
        *("## What the paper says of them", "", *_claims(found), "", "## Settings", ""),
        *(f"- {name}: `{' '.join(settings)}`" for name, settings in changed.items()),
        *("", "All other settings are the configured ones.", "", *protocols(told)),
    ]


def _claims(found: Found) -> list[str]:
    """Whether the paper's orderings hold here."""
    told = []
    for kind, claim, measure, more, less in CLAIMS:
        if more not in found[kind] or less not in found[kind]:
            continue
        first, second = (found[kind][name].measures[measure] for name in (more, less))
        low, high = difference(first, second).interval or (0.0, 0.0)
        verdict = (
            "so it is here" if low > 0 else "the other way round here" if high < 0 else "not to be told here"
        )
        told.append(f"- {claim}: {verdict} ({measure}: {cell(first)} against {cell(second)}).")
    return told or ["The methods that it speaks of were not drawn."]


def _picture(kind: str) -> str:
    return "methods" if kind == PROMPTS else "methods_references"
