"""ILVR against N: the larger N, the less of a reference is kept, and the more samples differ."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from experiments.baselines import page
from experiments.baselines.contenders import REFERENCES
from experiments.baselines.measures import DIVERSITY, faithful, pixel_distance
from experiments.baselines.runs import Bench, drawn, faces, led_by_chance
from experiments.pages import head, table
from experiments.running import configuration, named
from experiments.text_alignment.prompts import HELD_OUT
from sdg.baselines.resize import LowPass
from sdg.data.picture import read_picture
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure
from sdg.metrics.pictures import open_samples
from sdg.pixels import to_bytes
from sdg.report.grid import draw_grid, open_picture

SHOWN = 2
"""References of the figure."""
COLUMNS = ["attributes kept", "distance in pose", "pixels", "pixels through φ", "… unguided", "diversity"]


class Row(NamedTuple):
    """One N."""

    factor: int | None
    """None: unguided."""
    values: dict[str, Measure | None]


def study(options: argparse.Namespace) -> Path:
    """Draw, measure and show every N; returns the page."""
    size = configuration("sample", options.sample).prior.denoiser.image_size
    filters = {factor: LowPass(size, factor) for factor in sorted(set(options.factors))}
    paths, bench = faces(options.output, options.sample, options.references), Bench(options, HELD_OUT)
    print("unguided", flush=True)
    count = len(paths) * options.samples
    free = open_samples(drawn(options, "unguided", ["method=unguided"], count))
    chance = bench(led_by_chance(free, paths, REFERENCES, options.samples), free)
    folders, rows = {}, []
    for factor, low_pass in filters.items():
        print(f"N = {factor}", flush=True)
        settings = ["method=ilvr", f"constraint.factor={factor}", named("references", paths)]
        folders[factor] = drawn(options, f"ilvr_{factor}", settings, options.samples)
        own = bench(open_samples(folders[factor]), free)
        held = {"pixels through φ": pixel_distance(own, low_pass)}
        rows.append(Row(factor, measure(own) | held | {"… unguided": pixel_distance(chance, low_pass)}))
    rows.append(Row(None, measure(chance)))
    return page.save(
        options, "ilvr", lines(options, rows, size), figure(options, folders, paths[:SHOWN], filters)
    )


def measure(evidence: Evidence) -> dict[str, Measure | None]:
    """Faithfulness and diversity."""
    size = evidence.samples.size[0]
    everything = {"pixels": pixel_distance(evidence, LowPass(size, 1))}
    return {**faithful(evidence), **everything, "diversity": DIVERSITY(evidence)[0]}


def lines(options: argparse.Namespace, rows: Sequence[Row], size: int) -> list[str]:
    """The page."""
    what = (
        f"{options.references} faces nobody was trained on, {options.samples} samples of each, "
        f"{options.steps} steps of ddpm, the last of them free (`constraint.range_t=0`)."
    )
    names = ["N", *([] if size == 256 else ["N at 256 px"]), "φ keeps", *COLUMNS]
    found = []
    for factor, values in rows:
        cells = [page.cell(name, values.get(name)) for name in COLUMNS]
        kept = ["unguided", "", "nothing"]
        if factor is not None:
            kept = [str(factor), f"{factor * 256 // size}", f"{size // factor} × {size // factor}"]
        found.append([*(kept if size != 256 else kept[::2]), *cells])
    more = {
        "pixels": "mean difference to the reference in levels of 255",
        "pixels through φ": "the same after the low-pass of that N, for ILVR's samples and for unguided ones",
    }
    return [
        *head("ILVR against N", options.command, what),
        "![References and samples](ilvr.png)",
        "",
        *table(names, found),
        f"φ keeps {size}/N pixels a side, so N at {size} px does what {256 / size:g} N does at 256 px.",
        "",
        *page.protocols(["attributes kept", "distance in pose", "diversity"], more),
    ]


def figure(
    options: argparse.Namespace, folders: dict[int, Path], paths: Sequence[str], filters: dict[int, LowPass]
) -> Image.Image:
    """For every reference, a row for each N: the reference, what φ keeps of it, and samples."""
    rows = []
    for path in paths:
        for factor, folder in folders.items():
            run = open_samples(folder)
            own = [f for f, r in zip(run.files, run.records, strict=True) if r["reference"] == path]
            seen = filters[factor](read_picture(path, run.size[0]))
            kept = Image.fromarray(to_bytes(seen).permute(1, 2, 0).numpy())
            rows.append((f"N = {factor}", [open_picture(path), kept, *map(open_picture, own)]))
    samples = [""] * options.samples
    return draw_grid(rows, ["reference", "what N keeps", *samples], lead=2, group=options.samples, label=60)
