"""Timed runs of ``sample.py``, and their pictures as evidence for metrics."""

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from experiments.running import configuration, draw, load_judge
from sdg.config import build
from sdg.data.toyfaces.references import write_references
from sdg.metrics.evidence import Evidence
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import FolderPictures
from sdg.metrics.reader import FeatureReader


def drawn(options: argparse.Namespace, name: str, settings: Sequence[str], samples: int) -> Path:
    """As :func:`timed`, in ``options.output / name``; settings of ``--sample`` override ``settings``."""
    given = [f"seed={options.seed}", f"sampler.steps={options.steps}"]
    return timed(options.output / name, [*given, *settings, *options.sample], samples)


def timed(folder: Path, settings: Sequence[str], samples: int) -> Path:
    """Draw ``samples`` of every target, or the rest of them; ``seconds.jsonl`` keeps how long it took."""
    given = [f"samples_per_prompt={samples}", "unguided=false", "batch_size=32", "trace=false"]
    before, start, cpu = _count(folder), time.perf_counter(), time.process_time()
    draw(folder, [*given, *settings])
    if images := _count(folder) - before:
        spent = {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        with (folder / "seconds.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"images": images} | spent) + "\n")
    return folder


def seconds_per_image(folder: Path, clock: Literal["wall", "cpu"]) -> float | None:
    """Seconds per image of a run, loading and writing included; None if it was not timed.

    The CPU clock stands still while other processes have the processor.
    """
    if not (path := folder / "seconds.jsonl").is_file():
        return None
    parts = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sum(part[clock] for part in parts) / sum(part["images"] for part in parts)


def faces(output: Path, sample: Sequence[str], count: int) -> list[str]:
    """Paths of reference faces, outside all training data, in the size that ``sample.py`` draws with these
    settings."""
    folder = output / "references"
    write_references(folder, count, configuration("sample", sample).prior.denoiser.image_size)
    return [str(folder / f"face_{i:03d}.png") for i in range(count)]


class Bench:
    """Measures runs, with networks that are loaded once.

    Args:
        mentions: the file that says what prompts mention.
    """

    def __init__(self, options: argparse.Namespace, mentions: Path):
        self.mentions, self.judge = Mentions(mentions), load_judge(options.evaluate)
        config = configuration("evaluate", [f"mentions='{mentions}'", *options.evaluate])
        makers = {name: partial(build, node) for name, node in config.features.items()}
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.reader = FeatureReader(makers, options.output / "statistics", device)

    def __call__(self, run: FolderPictures, unguided: FolderPictures) -> Evidence:
        """A run, with the unguided samples that metrics compare it with."""
        files, records = [*unguided.files, *run.files], [*unguided.records, *run.records]
        samples = FolderPictures(run.source, files, records)
        return Evidence(samples, self.mentions, lambda: self.judge, self.reader)


def led_by_chance(unguided: FolderPictures, targets: Sequence[str], kind: str, each: int) -> FolderPictures:
    """Unguided samples as if they had aimed at ``targets``, ``each`` different ones for every target.

    ``kind`` is prompts or references.
    """
    records = []
    for number, target in enumerate(targets):
        aim = {"prompt": target, "reference": None}
        if kind == "references":
            aim = {"prompt": None, "reference": target, "reference_file": str(Path(target).absolute())}
        records += [unguided.records[number * each + i] | aim | {"index": i} for i in range(each)]
    return FolderPictures(unguided.source, unguided.files[: len(records)], records)


def _count(folder: Path) -> int:
    return len(list((folder / "samples").glob("*.png")))
