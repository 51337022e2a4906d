"""The rows of the table: what is drawn, and what is measured of it."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.controls import measures
from experiments.running import draw
from sdg.data.picture import read_picture
from sdg.metrics.judged import JudgeReader
from sdg.metrics.mentions import Mentions

PROMPTS = Path(__file__).parent.parent / "text_alignment" / "prompts.jsonl"


class Row(NamedTuple):
    """One run."""

    control: str
    sampler: str
    steps: int
    values: dict[str, tuple[float, float]]
    """Measure -> its mean over guided samples, and over the unguided ones of the same noise."""


def measure(options: argparse.Namespace, control: str, sampler: str, steps: int, judge: JudgeReader) -> Row:
    """Draw one control under one sampler, or what is left of it to do, and measure it."""
    folder = options.output / f"{control}_{sampler}_{steps}"
    settings = [f"guidance={control}", f"sampler={sampler}", f"sampler.steps={steps}", "batch_size=32"]
    settings += [f"samples_per_prompt={options.samples}", f"seed={options.seed}", "trace=false"]
    if scale := options.scales.get(f"{control}/{sampler}") or options.scales.get(control):
        settings.append(f"guidance.scale={scale}")
    if control == "text":
        settings.append(f"prompts=[{', '.join(repr(prompt) for prompt in options.prompts)}]")
    else:
        names = options.styles if control == "style" else options.faces
        settings.append(f"references=[{', '.join(repr(str(options.references / name)) for name in names)}]")
    draw(folder, [*settings, *options.sample])
    values = {"text": _text, "style": _style}.get(control, _face)(folder, options, judge)
    return Row(control, sampler, steps, values)


def _text(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> dict[str, tuple[float, float]]:
    judged, _ = measures.read_run(folder, judge)
    guided, partners, _ = measures.pairs(judged)
    mentioned = Mentions(PROMPTS)([judged.records[row]["prompt"] for row in guided])
    values = {}
    for rows, place in ((guided, 0), (partners, 1)):
        right = (judged.attributes[rows] == mentioned) & (mentioned >= 0)
        asked = (mentioned >= 0).sum(dim=1)
        values[place] = (float(right.sum() / asked.sum()), float((right.sum(dim=1) == asked).double().mean()))
    return {
        "mentioned right": (values[0][0], values[1][0]),
        "all right": (values[0][1], values[1][1]),
    }


def _face(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> dict[str, tuple[float, float]]:
    """Against the reference: its true attributes, and its nuisances as the judge reads them off it."""
    judged, _ = measures.read_run(folder, judge)
    guided, partners, names = measures.pairs(judged)
    truth = measures.face_attributes(options.references)
    attributes = torch.tensor([truth[name] for name in names])
    nuisances = judge.read([_bytes(options.references, sorted(set(names)), judge.size)]).nuisances
    wanted = nuisances[[sorted(set(names)).index(name) for name in names]]
    kept = [measures.kept_attributes(judged, rows, attributes) for rows in (guided, partners)]
    poses, rests = zip(
        *(measures.nuisance_distances(judged, rows, wanted) for rows in (guided, partners)), strict=True
    )
    return {
        "attributes kept": _means(kept),
        "distance in pose": _means(poses),
        "distance in the rest": _means(rests),
    }


def _style(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> dict[str, tuple[float, float]]:
    judged, pictures = measures.read_run(folder, judge)
    guided, partners, names = measures.pairs(judged)
    references = _bytes(options.references, names, judge.size)
    wanted, textures = measures.palette(references), measures.textures(references, judge)
    drawn = (pictures[guided], pictures[partners])
    palettes = [measures.palette_distance(measures.palette(each), wanted) for each in drawn]
    grams = [measures.texture_distance(measures.textures(each, judge), textures) for each in drawn]
    return {"palette distance": _means(palettes), "texture distance": _means(grams)}


def _bytes(folder: Path, names: Sequence[str], size: int) -> Tensor:
    pictures = torch.stack([read_picture(folder / name, size) for name in names])
    return ((pictures + 1) * 127.5).round().to(torch.uint8)


def _means(both: Sequence[Tensor]) -> tuple[float, float]:
    return float(both[0].mean()), float(both[1].mean())


def agreement(folder: Path, options: argparse.Namespace, judge: JudgeReader) -> tuple[float, float]:
    """Where prompt and reference differ: shares of attributes that came out as one, as the other says."""
    judged, _ = measures.read_run(folder, judge)
    guided, _, names = measures.pairs(judged)
    truth = measures.face_attributes(options.references)
    own = torch.tensor([truth[name] for name in names])
    mentioned = Mentions(PROMPTS)([judged.records[row]["prompt"] for row in guided])
    seen, said = judged.attributes[guided], mentioned >= 0
    disagree = said & (mentioned != own)
    words = (seen == mentioned)[disagree].double().mean()
    picture = (seen == own)[disagree].double().mean()
    return float(words), float(picture)
