"""Measures of pictures that were drawn towards a reference."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.metrics.files import read_files
from sdg.metrics.folder import read_manifest
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.units import Units
from sdg.pixels import from_bytes

POSE = ("x", "y", "scale", "tilt")
"""The nuisances that say where things are."""
_NAMES = list(NUISANCES)
_POSE = [_NAMES.index(name) for name in POSE]
_REST = [_NAMES.index(name) for name in NUISANCES if name not in POSE]
BINS = 4


def read_run(folder: Path, judge: JudgeReader) -> tuple[Judged, Tensor]:
    """A run as the judge sees it, and its pictures (N, 3, S, S) uint8, in the order of the manifest."""
    records = read_manifest(folder)
    pictures = torch.cat(list(read_files([folder / record["file"] for record in records], judge.batch_size)))
    return judge.read(pictures.split(judge.batch_size), records), pictures


def pairs(judged: Judged) -> tuple[list[int], list[int], list[str]]:
    """Rows of guided samples, rows of the unguided ones of the same noise, and names of the references."""
    before = {(r["seed"], r["index"]): row for row, r in enumerate(judged.records) if r["scale"] == 0}
    guided = [row for row, r in enumerate(judged.records) if r["scale"] != 0]
    partners = [before[judged.records[row]["seed"], judged.records[row]["index"]] for row in guided]
    return guided, partners, [Path(judged.records[row]["reference"] or "").name for row in guided]


def units(judged: Judged, rows: Sequence[int]) -> Units:
    """What some samples were drawn with."""
    records = [judged.records[row] for row in rows]
    targets = [(record["prompt"], record.get("reference")) for record in records]
    return Units({"target": targets, "noise": [(record["seed"], record["index"]) for record in records]})


def kept_attributes(judged: Judged, rows: Sequence[int], wanted: Tensor) -> Tensor:
    """(N,) share of the eight attributes that match ``wanted`` (N, 8)."""
    return (judged.attributes[list(rows)] == wanted).double().mean(dim=1)


def nuisance_distances(judged: Judged, rows: Sequence[int], wanted: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) distances to ``wanted`` (N, K) in pose, and in everything else that no caption names."""
    away = (judged.nuisances[list(rows)] - wanted).abs().double()
    return away[:, _POSE].mean(dim=1), away[:, _REST].mean(dim=1)


def palette(pictures: Tensor) -> Tensor:
    """(N, BINS³) share of pixels in each colour bin, for pictures (N, 3, S, S) uint8."""
    bins = (pictures.long() * BINS) // 256
    number = (bins[:, 0] * BINS + bins[:, 1]) * BINS + bins[:, 2]
    counts = torch.nn.functional.one_hot(number.flatten(1), BINS**3).sum(dim=1)
    return counts.double() / number[0].numel()


def palette_distance(own: Tensor, wanted: Tensor) -> Tensor:
    """(N,) share of pixels that would have to change colour, from palettes (N, BINS³)."""
    return (own - wanted).abs().sum(dim=1) / 2


@torch.no_grad()
def textures(pictures: Tensor, judge: JudgeReader) -> list[Tensor]:
    """Gram matrices (N, C, C) of the judge's convolutional layers for pictures (N, 3, S, S) uint8."""
    grams, x = [], from_bytes(pictures.to(judge.device))
    for layer in judge.judge.body:  # type: ignore[union-attr]
        if isinstance(layer, torch.nn.Flatten):
            break
        x = layer(x)
        if isinstance(layer, torch.nn.GELU):
            rows = x.flatten(2)
            grams.append((rows @ rows.mT / rows.shape[2]).cpu())
    return grams


def texture_distance(own: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """(N,) difference of Gram matrices relative to the wanted ones, mean over layers."""
    ratios = [(a - b).norm(dim=(1, 2)) / b.norm(dim=(1, 2)) for a, b in zip(own, wanted, strict=True)]
    return torch.stack(ratios).mean(dim=0).double()


def style_distances(pictures: Tensor, references: Tensor, judge: JudgeReader) -> dict[str, Tensor]:
    """Measure -> (N,), distance of each picture (N, 3, S, S) uint8 from its own reference."""
    return {
        "palette distance": palette_distance(palette(pictures), palette(references)),
        "texture distance": texture_distance(textures(pictures, judge), textures(references, judge)),
    }


def face_attributes(folder: Path) -> dict[str, list[int]]:
    """File name -> numbers of the attribute values of a face that ``python -m sdg.data.toyfaces`` wrote."""
    lines = [json.loads(line) for line in (folder / "faces.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        line["file"]: [values.index(line["attributes"][name]) for name, values in ATTRIBUTES.items()]
        for line in lines
    }
