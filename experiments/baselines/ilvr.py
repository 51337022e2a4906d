"""ILVR against N: the larger N, the less of a reference is kept, and the more samples differ."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from experiments.grid import Columns, Point, Study, Way, listed
from experiments.pages import head, protocols
from experiments.pictures import save
from experiments.references import write
from experiments.results import save_page
from experiments.running import configuration
from sdg.baselines.resize import LowPass
from sdg.data.picture import read_picture
from sdg.metrics.pictures import open_samples
from sdg.pixels import to_bytes
from sdg.report.grid import draw_grid, open_picture

SHOWN = 2
"""References of the figure."""
COLUMNS: Columns = {
    "kept/attributes": ("attributes kept", ".2f"),
    "kept/pose": ("distance in pose", ".2f"),
    "pixels": ("pixels", ".1f"),
    "through": ("pixels through φ", ".1f"),
    "diversity_judge": ("diversity", ".3f"),
}
_MADE = "+metrics.{}={{_target_: experiments.references.{}}}"


def study(options: argparse.Namespace) -> Path:
    """Draw, measure and show every N; returns the page."""
    size = configuration("sample", options.sample).prior.denoiser.image_size
    filters = {factor: LowPass(size, factor) for factor in sorted(set(options.factors))}
    faces, _ = write(options.output, options.sample, options.references)
    metrics = ["metrics=[diversity_judge]", _MADE.format("kept", "Kept"), _MADE.format("pixels", "Pixels")]
    points = []
    for factor in filters:
        through = _MADE.format("through", f"Pixels, factor: {factor}")
        own = Study(options, [*metrics, through], aims={"references": faces}, parts=1)
        told = f"{factor}", f"{factor * 256 // size}", f"{size // factor} × {size // factor}"
        points += own.all([Way(f"ilvr_{factor}", ["method=ilvr", f"constraint.factor={factor}"], told)])
    what = (
        f"{options.references} faces nobody was trained on, {options.samples} samples of each, "
        f"{options.steps} steps of ddpm, the last of them free (`constraint.range_t=0`); unguided: the "
        "samples of the same noise."
    )
    lines = [
        *head("ILVR against N", options.command, what),
        *("![References and samples](ilvr.png)", ""),
        *listed(["N", "N at 256 px", "φ keeps"], points, COLUMNS, beside=True),
        f"φ keeps {size}/N pixels a side, so N at {size} px does what {256 / size:g} N does at 256 px.",
        *("", *protocols(points[0].report["protocols"])),
    ]
    save(figure(points, faces[:SHOWN], [*filters.values()]), options.report / "ilvr.png")
    return save_page(options.report / "ilvr.md", lines, __package__)


def figure(points: Sequence[Point[Way]], faces: Sequence[str], filters: Sequence[LowPass]) -> Image.Image:
    """For every reference, a row for each N: the reference, what φ keeps of it, and samples."""
    rows, most = [], 0
    for path in faces:
        for point, low_pass in zip(points, filters, strict=True):
            run = open_samples(point.folder)
            own = [f for f, r in zip(run.files, run.records, strict=True) if r["reference"] == path]
            seen = low_pass(read_picture(path, run.size[0]))
            kept = Image.fromarray(to_bytes(seen).permute(1, 2, 0).numpy())
            rows.append((f"N = {point.way.told[0]}", [open_picture(path), kept, *map(open_picture, own)]))
            most = len(own)
    return draw_grid(rows, ["reference", "what N keeps", *[""] * most], lead=2, group=most, label=60)
