"""Reference pictures, and metrics of what guided samples keep of theirs.

Each metric gives one value for a sample; beside the guided ones' mean is that of the unguided samples of the
same noise against the same references, if the run has them.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from experiments.matched import mean_of
from experiments.running import configuration
from sdg.baselines.resize import LowPass
from sdg.data.picture import read_picture
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.data.toyfaces.references import write_references
from sdg.data.toyfaces.styles import STYLES
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import ratio_spread, share_interval
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.measure import Measure, measured
from sdg.pixels import from_bytes, to_bytes

POSE = ("x", "y", "scale", "tilt")
"""The nuisances that say where things are."""
BINS = 4
"""Of each colour, in a palette."""


def write(output: Path, sample: Sequence[str], faces: int) -> tuple[list[str], list[str]]:
    """Write ``faces`` faces outside all training data and the painted styles; returns the paths of either.

    Args:
        sample: settings of ``sample.py``, in whose size they are.
    """
    folder = output / "references"
    write_references(folder, faces, configuration("sample", sample).prior.denoiser.image_size)
    shown = [str(folder / f"face_{number:03d}.png") for number in range(faces)]
    return shown, [str(folder / f"style_{name}.png") for name in STYLES]


class OfSamples(ABC):
    """A metric of the samples against their references."""

    judges = True

    @abstractmethod
    def values(self, evidence: Evidence, rows: Sequence[int], judged: Judged) -> dict[str, Tensor]:
        """Measure -> (N,), of samples in rows, the i-th against the reference of the i-th guided one."""

    def __call__(self, evidence: Evidence) -> list[Measure]:
        evidence.need_targets()
        own, other = self.values(evidence, evidence.rows, evidence.guided), dict[str, Tensor]()
        if evidence.unguided_rows:
            partners = [evidence.unguided_rows[number] for number in evidence.partner_numbers()]
            other = self.values(evidence, partners, evidence.partners())
        return [mean_of(evidence, name, values, other.get(name)) for name, values in own.items()]


class Kept(OfSamples):
    """The attributes and nuisances of references that :func:`write` wrote."""

    protocol = (
        "attributes: share of the reference's eight true attributes that the judge reads off the sample; "
        "pose: mean difference to what it reads off the reference in x, y, scale and tilt, of ranges scaled "
        "to 2; rest: the same for other nuisances, near 0 for a copy; 95 % intervals over targets and noises"
    )

    def values(self, evidence: Evidence, rows: Sequence[int], judged: Judged) -> dict[str, Tensor]:
        paths = references_of(evidence)
        different = sorted(set(paths))
        read = evidence.judge.read([pixels_of(different, evidence.judge.toyfaces_side())])
        wanted = read.nuisances[[different.index(path) for path in paths]]
        away = (judged.nuisances - wanted).abs().double()
        pose = torch.tensor([name in POSE for name in NUISANCES])
        kept = judged.attributes == true_attributes(paths)
        return {
            "attributes": kept.double().mean(dim=1),
            "pose": away[:, pose].mean(dim=1),
            "rest": away[:, ~pose].mean(dim=1),
        }


class Painted(OfSamples):
    """Colours and textures of the references."""

    protocol = (
        "palette: share of the pixels that would have to change colour, in 4³ bins; texture: relative "
        "difference of the Gram matrices of the judge's convolutions, mean over layers; 95 % intervals over "
        "targets and noises"
    )

    def values(self, evidence: Evidence, rows: Sequence[int], judged: Judged) -> dict[str, Tensor]:
        pictures = torch.cat(list(evidence.samples.batches(rows, evidence.judge.batch_size)))
        references = pixels_of(references_of(evidence), pictures.shape[-1])
        ratios = [
            (own - wanted).norm(dim=(1, 2)) / wanted.norm(dim=(1, 2))
            for own, wanted in zip(
                *(textures(x, evidence.judge) for x in (pictures, references)), strict=True
            )
        ]
        return {
            "palette": (palette(pictures) - palette(references)).abs().sum(dim=1) / 2,
            "texture": torch.stack(ratios).mean(dim=0),
        }


class Pixels(OfSamples):
    """Differences of pixels.

    Args:
        factor: samples and references are seen through ILVR's low-pass of this N; 1: as they are.
    """

    def __init__(self, factor: int = 1):
        self.factor = factor
        self.protocol = (
            "mean absolute difference to the reference, in levels of 255, through the low-pass of "
            f"N = {factor}; 95 % interval over targets and noises"
        )

    def values(self, evidence: Evidence, rows: Sequence[int], judged: Judged) -> dict[str, Tensor]:
        pictures = torch.cat(list(evidence.samples.batches(rows, evidence.judge.batch_size))).double()
        low_pass = LowPass(side := pictures.shape[-1], self.factor)
        away = low_pass(pictures - pixels_of(references_of(evidence), side).double())
        return {"": away.abs().mean(dim=(1, 2, 3))}


class Disputed:
    """Attributes on which prompt and reference disagree."""

    protocol = (
        "of the attributes that the prompt mentions and the reference has otherwise: shares that the judge "
        "reads as the words say, and as in the picture; 95 % intervals over prompts, references and noises"
    )
    judges = True

    def __call__(self, evidence: Evidence) -> list[Measure]:
        mentioned, shown = evidence.mentioned(), true_attributes(references_of(evidence))
        disputed = (mentioned >= 0) & (mentioned != shown)
        below, measures = disputed.sum(dim=1).double(), []
        for name, wanted in (("words", mentioned), ("picture", shown)):
            above = (disputed & (evidence.guided.attributes == wanted)).sum(dim=1).double()
            value, spread = float(above.sum() / below.sum()), ratio_spread(evidence.units, above, below)
            measures.append(measured(name, value, int(below.sum()), spread, ends_of=share_interval))
        return measures


def true_attributes(paths: Sequence[Path]) -> Tensor:
    """(N, 8) int64, of faces that :func:`write` wrote."""
    known = {folder: _described(folder) for folder in {path.parent for path in paths}}
    return torch.tensor([known[path.parent][path.name] for path in paths])


def palette(pictures: Tensor) -> Tensor:
    """(N, BINS³) float64, share of pixels in each colour bin, for pictures (N, 3, S, S) uint8."""
    bins = (pictures.long() * BINS) // 256
    number = (bins[:, 0] * BINS + bins[:, 1]) * BINS + bins[:, 2]
    counts = torch.nn.functional.one_hot(number.flatten(1), BINS**3).sum(dim=1)
    return counts.double() / number[0].numel()


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


def references_of(evidence: Evidence) -> list[Path]:
    """That of each guided sample."""
    return [Path(str(record["reference"])) for record in evidence.guided.records]


def pixels_of(paths: Sequence[Path], side: int) -> Tensor:
    """(N, 3, side, side) uint8."""
    return to_bytes(torch.stack([read_picture(path, side) for path in paths]))


def _described(folder: Path) -> dict[str, list[int]]:
    """File name -> numbers of the attribute values of a face."""
    lines = [json.loads(line) for line in (folder / "faces.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        line["file"]: [values.index(line["attributes"][name]) for name, values in ATTRIBUTES.items()]
        for line in lines
    }
