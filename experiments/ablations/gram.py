"""Style guidance by Gram matrices per sample, against the released ones, which mix the batch."""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from experiments.ablations.page import Points, write_page
from experiments.grid import Columns, Point, Study, Way
from experiments.matched import mean_of
from experiments.references import write
from experiments.running import configuration
from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure
from sdg.metrics.pictures import open_samples

RELEASED = "guidance.terms.style._target_=experiments.ablations.batch_style.BatchStyle"
COLUMNS: Columns = {
    "painted/texture": ("texture distance", ".3f"),
    "painted/palette": ("palette distance", ".3f"),
    "moved": ("moved by company", ".1f"),
}
PANELS = {
    "painted/texture": "Texture distance to the style",
    "painted/palette": "Palette distance to the style",
    "moved": "Moved by company, levels of 255",
}
LINES = {"per sample": (False, 0), "released": (True, 0), "released, scale × B⁴": (True, 4)}
"""Form of the Gram matrix -> whether it is the released one, and the power of the batch size by which the
scale is multiplied: in one of B, a sample's own block has 1/B⁴ of the gradient; the others mix samples."""


class Moved:
    """By how much company in the batch has moved samples.

    Args:
        alone: the run of the same samples, each drawn in a batch of its own.
    """

    protocol = (
        "mean difference of pixels, in levels of 255, to the sample of the same line that was drawn in a "
        "batch of one; 95 % interval over styles and noises"
    )

    def __init__(self, alone: str):
        self.alone = open_samples(alone)

    def __call__(self, evidence: Evidence) -> list[Measure]:
        places = {_key(record): row for row, record in enumerate(self.alone.records)}
        rows = [places[_key(evidence.samples.records[row])] for row in evidence.rows]
        one, other = (
            torch.cat([each.float() for each in pictures.batches(those, 64)])
            for pictures, those in ((evidence.samples, evidence.rows), (self.alone, rows))
        )
        away: Tensor = (one - other).abs().mean(dim=(1, 2, 3))
        return [mean_of(evidence, "", away)]


def _key(record: dict) -> tuple:
    return record["reference"], record["seed"], record["index"]


def study(options: argparse.Namespace) -> Path:
    """Draw, measure and show; returns the page.

    Raises:
        SDGError: batches that would mix samples of two styles, or no batch of a single sample.
    """
    groups, count = sorted(set(options.groups)), options.style_samples
    if groups[0] != 1 or any(count % group for group in groups):
        raise SDGError(
            f"{count} samples of a style cannot be dealt to batches of {', '.join(map(str, groups))} and be "
            "held against those drawn alone: use --groups 1 and divisors of --style-samples"
        )
    _, styles = write(options.output, options.sample, 0)
    scale = configuration("sample", ["guidance=style", *options.sample]).guidance.scale
    lines: Points = {
        label: _line(options, styles, [way(options, *line, group, scale) for group in groups])
        for label, line in LINES.items()
    }
    words = "Gram matrices of a sample, and of the whole batch", "samples of one style in a batch"
    return write_page(options, "gram", words, lines, COLUMNS, PANELS)


def way(options: argparse.Namespace, released: bool, power: int, group: int, scale: float) -> Way:
    """One form of the matrix in one size of batch."""
    own = scale * group**power
    settings = ["guidance=style", f"guidance.scale={own:g}", f"group={group}"]
    settings += [f"sampler={options.sampler}", f"sampler.steps={options.steps}"]
    # A batch holds one style, also when a killed run resumes.
    settings += [*([RELEASED] if released else []), f"batch_size={options.style_samples}"]
    return Way(f"style_{'released' if released else 'sample'}_{group}_{own:g}", settings, (str(group),))


def _line(options: argparse.Namespace, styles: list[str], ways: list[Way]) -> dict[float, Point[Way]]:
    """A point for each batch size, the first of which is 1."""
    alone = options.output / ways[0].name
    metrics = ["metrics=[]", "+metrics.painted={_target_: experiments.references.Painted}"]
    metrics.append(f"+metrics.moved={{_target_: experiments.ablations.gram.Moved, alone: '{alone}'}}")
    study = Study(options, metrics, aims={"references": styles}, samples=options.style_samples)
    return {float(point.way.told[0]): point for point in study.all(ways)}
