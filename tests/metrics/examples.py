"""Hand-made evidence: a judge that knows its pictures by heart, and folders as sampling runs leave them."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from sdg.data.toyfaces import ATTRIBUTES, NUISANCES, SPLITS, render, sample_attributes, sample_nuisances
from sdg.metrics.evidence import Evidence
from sdg.metrics.extractor import Extractor
from sdg.metrics.judged import Judged, JudgeReader, scale_nuisances
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import Pictures
from sdg.metrics.reader import FeatureReader
from sdg.networks.judge import Judgement

SIZE = 16


def face(number: int, **changes: str) -> tuple[Tensor, Tensor]:
    """Attributes (1, 8) and nuisances (1, 11) of a face of the test split, with some attributes changed."""
    index = torch.tensor([SPLITS["test"].start + number])
    attributes = sample_attributes(0, index)
    for name, value in changes.items():
        attributes[0, list(ATTRIBUTES).index(name)] = ATTRIBUTES[name].index(value)
    return attributes, sample_nuisances(0, index)


def pixels(attributes: Tensor, nuisances: Tensor, size: int = SIZE) -> Tensor:
    """(N, 3, size, size) uint8"""
    return ((render(attributes, nuisances, size) + 1) * 127.5).round().to(torch.uint8)


class LookupJudge(nn.Module):
    """Answers with the truth about the most similar of the faces it was shown; features: a 2x2 thumbnail."""

    def __init__(self, attributes: Tensor, nuisances: Tensor):
        super().__init__()
        self.attributes, self.nuisances = attributes, nuisances
        self.memory = pixels(attributes, nuisances).float().flatten(1)

    def forward(self, images: Tensor) -> Judgement:
        known = torch.cdist(((images + 1) * 127.5).flatten(1), self.memory).argmin(dim=1)
        logits = {
            name: F.one_hot(self.attributes[known, i], len(values)).float()
            for i, (name, values) in enumerate(ATTRIBUTES.items())
        }
        features = F.adaptive_avg_pool2d(images, 2).flatten(1)
        return Judgement(logits, scale_nuisances(self.nuisances[known]), features)


def write_run(folder: Path, samples: Sequence[tuple[dict, Tensor]]) -> Path:
    """A finished run of records and their pictures (3, H, W) uint8."""
    (folder / "samples").mkdir(parents=True)
    lines = []
    for number, (record, image) in enumerate(samples):
        file = f"samples/{number:06d}.png"
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / file)
        lines.append(json.dumps({"id": number, "file": file} | record))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "index.html").write_text("<!doctype html>")
    return folder


def record(prompt: str | None, index: int, scale: float | None = None, score: float | None = 0.5) -> dict:
    guided = prompt is not None
    return {
        "prompt": prompt,
        "seed": 0,
        "index": index,
        "scale": float(guided) if scale is None else scale,
        "scores": {"text": score} if guided else {},
    }


def write_mentions(path: Path, mentions: Mapping[str, Mapping[str, str]]) -> Path:
    lines = [json.dumps({"prompt": prompt, "mentioned": mentioned}) for prompt, mentioned in mentions.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def judged(
    records: Sequence[dict],
    attributes: Tensor | None = None,
    nuisances: Tensor | None = None,
    features: Tensor | None = None,
) -> Judged:
    """What a judge might have read off the pictures of ``records``; zeros where it does not matter."""
    count = len(records)
    return Judged(
        torch.zeros(count, len(ATTRIBUTES), dtype=torch.int64) if attributes is None else attributes,
        torch.zeros(count, len(NUISANCES)) if nuisances is None else nuisances,
        torch.zeros(count, 4) if features is None else features,
        records,
    )


class Known(Pictures):
    """Pictures of which only the records are known, or only the pixels (N, 3, H, W)."""

    def __init__(self, records: Sequence[dict] = (), pixels: Tensor | None = None):
        self.records, self.pixels, self.source = records, pixels, "memory"
        self.size = (0, 0) if pixels is None else (pixels.shape[3], pixels.shape[2])

    def __len__(self) -> int:
        return len(self.records) if self.pixels is None else len(self.pixels)

    def batches(self, rows: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        assert self.pixels is not None
        return iter(self.pixels[list(rows)].split(batch_size))

    @property
    def digest(self) -> str:
        return hashlib.sha256(b"" if self.pixels is None else self.pixels.numpy().tobytes()).hexdigest()


def evidence(
    guided: Judged, unguided: Judged, mentions: Path | None = None, judge: nn.Module | None = None
) -> Evidence:
    """Evidence that has been judged already."""
    samples = Known([*guided.records, *unguided.records])
    reader = JudgeReader(nn.Identity() if judge is None else judge, SIZE)
    found = Evidence(samples, Mentions(mentions), lambda: reader)
    found.guided, found.unguided = guided, unguided
    return found


class Thumbnail(Extractor):
    """Mean colours of a grid of fields, as features; those of texts can be given."""

    def __init__(self, side: int = 2, texts: Mapping[str, Tensor] | None = None):
        super().__init__("mean colours", f"side {side}")
        self.side, self.known, self.seen = side, texts, 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen += len(pictures)
        return F.adaptive_avg_pool2d(pictures.float() / 255, self.side).flatten(1)

    def texts(self, prompts: Sequence[str]) -> Tensor:
        if self.known is None:
            return super().texts(prompts)
        return torch.stack([self.known[prompt] for prompt in prompts])


def viewed(
    samples: Pictures, cache: Path, reference: Pictures | Path | None = None, **extractors: Extractor
) -> Evidence:
    """Evidence that extractors read, without a judge."""

    def no_judge() -> JudgeReader:
        raise AssertionError("the judge was loaded")

    makers = {name: (lambda each=each: each) for name, each in extractors.items()}
    return Evidence(samples, Mentions(None), no_judge, FeatureReader(makers, cache), reference)
