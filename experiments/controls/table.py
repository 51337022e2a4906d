"""The table of the experiment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.controls.blend import Point
from experiments.controls.study import Row
from experiments.pages import head, protocols, table
from experiments.results import save_page

PROTOCOL = {
    "mentioned right, all right": "share of the attributes that the prompt mentions which the judge reads "
    "off the sample, and share of the samples where it reads all of them",
    "attributes kept": "share of the reference's eight attributes that the judge reads off the sample",
    "distance in pose": "mean difference to the reference in x, y, scale and tilt, of ranges scaled to 2",
    "distance in the rest": "the same for the nuisances that are not pose: a copy would be near 0",
    "palette distance": "share of the pixels that would have to change colour, in 4³ bins",
    "texture distance": "relative difference of the Gram matrices of the judge's eight layers",
}


def write_table(
    rows: Sequence[Row], points: Sequence[Point], options: argparse.Namespace, command: str
) -> Path:
    """``results.md``: a table for each control, what was measured, and by which command."""
    what = (
        f"{options.targets} targets (5 for style), {options.samples} samples of each; [95 % interval over "
        "targets]; in brackets the unguided samples of the same noise."
    )
    lines = head("Every control under every sampler, measured", command, what)
    for control in dict.fromkeys(row.control for row in rows):
        own = [row for row in rows if row.control == control]
        cells = [[row.sampler, str(row.steps), *map(str, row.values.values())] for row in own]
        lines += [f"## {control.capitalize()}", "", *table(["sampler", "steps", *own[0].values], cells)]
    shares = [[f"{p.share:g}", f"{p.words:.3f}", f"{p.picture:.3f}"] for p in points]
    lines += [
        *("## Words and a picture that disagree", "", "![The curve](blend.png)", ""),
        *table(["weight of the words", "as the words say", "as in the picture"], shares, left=0),
        *("Six prompts with four references, two samples of each pair, 50 steps of ddpm.", ""),
        *protocols(PROTOCOL),
    ]
    return save_page(options.report / "results.md", lines, __package__)
