"""Style guidance by Gram matrices per sample, against the released ones, which mix the batch."""

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.ablations import page
from experiments.ablations.lab import insist
from experiments.ablations.page import Curves, Point
from experiments.baselines.runs import seconds_per_image
from experiments.controls.measures import style_distances
from experiments.controls.study import read_bytes, take_aim
from experiments.controls.table import PROTOCOL
from experiments.running import configuration, load_judge, named
from sdg.errors import SDGError
from sdg.metrics.intervals import mean_spread
from sdg.metrics.measure import Measure, measured
from sdg.metrics.pictures import open_samples
from sdg.metrics.units import Units

RELEASED = "guidance.terms.style._target_=experiments.ablations.batch_style.BatchStyle"
MOVED = "moved by company"
PANELS = {
    "texture distance": "Texture distance to the style",
    "palette distance": "Palette distance to the style",
    MOVED: "Moved by company, levels of 255",
}
_TOLD = {
    **{name: PROTOCOL[name] for name in ("texture distance", "palette distance")},
    MOVED: "mean difference of pixels, in levels of 255, to the sample of the same line that was drawn in a "
    "batch of one",
    "released": "one Gram matrix for the batch: a sample's own block has 1/B⁴ of the gradient in one of B, "
    "and the other blocks mix samples; with the scale times B⁴ the mixing is left",
    "unguided": "the prior's own samples against every reference",
}


class Line(NamedTuple):
    """One form of the Gram matrix."""

    released: bool
    power: int
    """The scale is multiplied by the batch size to this power."""


LINES = {"per sample": Line(False, 0), "released": Line(True, 0), "released, scale × B⁴": Line(True, 4)}


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
    options = argparse.Namespace(**vars(options), targets=0)
    take_aim(options)
    easel = _Easel(options)
    lines = {label: easel.line(line, groups) for label, line in LINES.items()}
    what = (
        f"{len(options.styles)} painted styles, {count} samples of each, {options.steps} steps of "
        f"{options.sampler}; a batch has samples of one style."
    )
    title, axis = "Gram matrices of a sample, and of the whole batch", "samples in a batch"
    over = "styles and noises"
    curves = Curves("gram", title, axis, lines, PANELS, easel.unguided(), what, _TOLD, over)
    return page.save(options, curves)


class _Easel:
    """Draws and measures runs towards the styles."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.judge = options, load_judge(options.evaluate)
        self.scale = configuration("sample", ["guidance=style", *options.sample]).guidance.scale
        self.paths = [options.references / name for name in options.styles]
        self.count = options.style_samples
        self.wanted = read_bytes(self.paths, self.judge.size).repeat_interleave(self.count, dim=0)
        self.stepping = [f"sampler={options.sampler}", f"sampler.steps={options.steps}"]

    def line(self, line: Line, groups: list[int]) -> dict[float, Point]:
        """A point for each batch size, the first of which is 1."""
        points: dict[float, Point] = {}
        alone: Tensor | None = None
        for group in groups:
            scale = self.scale * group**line.power
            settings = ["guidance=style", f"guidance.scale={scale:g}", f"group={group}", *self.stepping]
            settings += [RELEASED] if line.released else []
            print(" ".join(settings), flush=True)
            # A batch holds one style, also when a killed run resumes.
            aimed = [*settings, f"batch_size={self.count}", named("references", self.paths)]
            kind = "released" if line.released else "sample"
            folder = insist(self.options, f"style_{kind}_{group}_{scale:g}", aimed, self.count)
            pictures = self._read(folder)
            alone = pictures if alone is None else alone
            moved = (pictures.float() - alone.float()).abs().mean(dim=(1, 2, 3)).double()
            values = self._distances(pictures) | {MOVED: self._measure(moved)}
            points[group] = Point(" ".join(settings), values, seconds_per_image(folder, "cpu"))
        return points

    def unguided(self) -> dict[str, Measure]:
        """The same noises, without any guidance."""
        folder = insist(self.options, "style_unguided", ["method=unguided", *self.stepping], self.count)
        return self._distances(self._read(folder).repeat(len(self.paths), 1, 1, 1))

    def _read(self, folder: Path) -> Tensor:
        """Pictures of a run, (N, 3, S, S) uint8, style by style."""
        run = open_samples(folder)
        return torch.cat(list(run.batches(range(len(run)), self.judge.batch_size)))

    def _distances(self, pictures: Tensor) -> dict[str, Measure]:
        found = style_distances(pictures, self.wanted, self.judge)
        return {name: self._measure(values) for name, values in reversed(found.items())}

    def _measure(self, values: Tensor) -> Measure:
        """The mean of one value per sample, with an interval over references and noises."""
        styles = [path for path in self.paths for _ in range(self.count)]
        units = Units({"style": styles, "noise": [*range(self.count)] * len(self.paths)})
        return measured("", values.mean().item(), len(values), mean_spread(units, values))
