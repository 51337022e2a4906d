"""The rows of the table: what is drawn and what is measured."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.controls import measures
from experiments.running import draw, named
from experiments.text_alignment.prompts import HELD_OUT
from sdg.data.picture import read_picture
from sdg.data.toyfaces.references import write_references
from sdg.data.toyfaces.styles import STYLES
from sdg.metrics.intervals import Interval, interval, mean_spread
from sdg.metrics.judged import JudgeReader
from sdg.metrics.mentions import Mentions
from sdg.metrics.units import Units
from sdg.pixels import to_bytes


def take_aim(options: argparse.Namespace) -> None:
    """Write the references, and note in ``options`` which pictures show faces and which styles."""
    options.references = options.output / "references"
    write_references(options.references, options.targets)
    options.faces = [f"face_{i:03d}.png" for i in range(options.targets)]
    options.styles = [f"style_{name}.png" for name in STYLES]


class Estimate(NamedTuple):
    """The mean of one measure."""

    guided: float
    interval: Interval | None
    """95 %, over targets and noises; None if there is only one of both."""
    unguided: float
    """Mean over the unguided samples of the same noise, for the same targets."""

    def __str__(self) -> str:
        ends = f" [{self.interval[0]:.3f}, {self.interval[1]:.3f}]" if self.interval else ""
        return f"{self.guided:.3f}{ends} ({self.unguided:.3f})"


class Row(NamedTuple):
    """One run."""

    control: str
    sampler: str
    steps: int
    values: dict[str, Estimate]


def measure(options: argparse.Namespace, control: str, sampler: str, steps: int, judge: JudgeReader) -> Row:
    """Draw one control under one sampler, resuming any earlier run, and measure it."""
    folder = options.output / f"{control}_{sampler}_{steps}"
    settings = [f"guidance={control}", f"sampler={sampler}", f"sampler.steps={steps}", "batch_size=32"]
    settings += [f"samples_per_prompt={options.samples}", f"seed={options.seed}", "trace=false"]
    if scale := options.scales.get(f"{control}/{sampler}") or options.scales.get(control):
        settings.append(f"guidance.scale={scale}")
    if control == "text":
        settings.append(named("prompts", options.prompts))
    else:
        names = options.styles if control == "style" else options.faces
        settings.append(named("references", [options.references / name for name in names]))
    draw(folder, [*settings, *options.sample])
    values = {"text": _text, "style": _style}.get(control, _face)(folder, options, judge)
    return Row(control, sampler, steps, values)


def _text(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> dict[str, Estimate]:
    judged, _ = measures.read_run(folder, judge)
    guided, partners, _ = measures.pairs(judged)
    units = measures.units(judged, guided)
    prompts = [judged.records[row]["prompt"] for row in guided]
    mentioned = Mentions(HELD_OUT)(prompts)
    shares = []
    for rows in (guided, partners):
        right = (judged.attributes[rows] == mentioned) & (mentioned >= 0)
        shares.append(right.sum(dim=1).double() / (mentioned >= 0).sum(dim=1))
    return {
        "mentioned right": _estimate(shares, units),
        "all right": _estimate([(share == 1).double() for share in shares], units),
    }


def _face(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> dict[str, Estimate]:
    """Compare with the reference: its true attributes, and its nuisances as the judge reads them."""
    judged, _ = measures.read_run(folder, judge)
    guided, partners, names = measures.pairs(judged)
    units = measures.units(judged, guided)
    truth = measures.face_attributes(options.references)
    attributes = torch.tensor([truth[name] for name in names])
    different = sorted(set(names))
    seen = judge.read([read_bytes([options.references / name for name in different], judge.size)])
    wanted = seen.nuisances[[different.index(name) for name in names]]
    kept = [measures.kept_attributes(judged, rows, attributes) for rows in (guided, partners)]
    poses, rests = zip(
        *(measures.nuisance_distances(judged, rows, wanted) for rows in (guided, partners)), strict=True
    )
    return {
        "attributes kept": _estimate(kept, units),
        "distance in pose": _estimate(poses, units),
        "distance in the rest": _estimate(rests, units),
    }


def _style(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> dict[str, Estimate]:
    judged, pictures = measures.read_run(folder, judge)
    guided, partners, names = measures.pairs(judged)
    units = measures.units(judged, guided)
    references = read_bytes([options.references / name for name in names], judge.size)
    both = [measures.style_distances(pictures[rows], references, judge) for rows in (guided, partners)]
    return {name: _estimate([each[name] for each in both], units) for name in both[0]}


def _estimate(both: Sequence[Tensor], units: Units) -> Estimate:
    """From values (N,) with and without guidance."""
    guided, unguided = both
    value = float(guided.mean())
    return Estimate(value, interval(value, mean_spread(units, guided)), float(unguided.mean()))


def read_bytes(paths: Sequence[Path], size: int) -> Tensor:
    """Pictures as the judge reads them: (N, 3, size, size) uint8."""
    pictures = torch.stack([read_picture(path, size) for path in paths])
    return to_bytes(pictures)


def agreement(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> tuple[float, float]:
    """Where prompt and reference disagree: shares of attributes that follow the prompt, the reference."""
    judged, _ = measures.read_run(folder, judge)
    guided, _, names = measures.pairs(judged)
    truth = measures.face_attributes(options.references)
    own = torch.tensor([truth[name] for name in names])
    mentioned = Mentions(HELD_OUT)([judged.records[row]["prompt"] for row in guided])
    seen, said = judged.attributes[guided], mentioned >= 0
    disagree = said & (mentioned != own)
    words = (seen == mentioned)[disagree].double().mean()
    picture = (seen == own)[disagree].double().mean()
    return float(words), float(picture)
