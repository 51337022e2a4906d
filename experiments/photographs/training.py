"""All that is trained for photographs, one after the other, as far as a session's minutes reach.

CLIP and its copy take minutes and have an end; the prior takes what is left, and is never too well trained.
Whatever is interrupted, by the deadline or by a signal, goes on with the same command.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import torch

from experiments.command import add_report, add_settings
from experiments.photographs.curve import Curve
from experiments.photographs.gather import gather
from experiments.running import configuration
from sdg.checkpoints.checkpoint import open_checkpoint
from sdg.config import build
from sdg.data.file_data import FileData
from sdg.errors import SDGError
from sdg.training.run import train

STEPS = {"clip_pretrain": 2000, "clip": 3000}
"""After which these are done."""
LEAST = 0.5
"""Minutes that are worth starting a training for."""
ON_GPU = {
    "clip_pretrain": ("data.batch_size=512",),
    "clip": ("data.batch_size=512",),
    "prior": ("data.batch_size=256", "model.optimisation.lr=1e-3"),
}
"""Settings where a step of 32 pictures would leave most of a GPU idle."""


class Stage(NamedTuple):
    """One training."""

    name: str
    """Of ``+experiment=faces64_<name>``."""
    steps: int
    """When it is done."""
    settings: tuple[str, ...]


def add_training(parser: argparse.ArgumentParser, folder: Path) -> None:
    """The options of ``train``."""
    add = parser.add_argument
    add("--photographs", required=True, metavar="PATH", help="with ages and sexes: data.root of data=faces64")
    add("--smiles", metavar="PATH", help="in folders smiling and not_smiling: data.root of data=smile64")
    add("--minutes", type=float, default=150, help="after which all stops, to go on another time")
    stages = ["clip_pretrain", "clip", "prior"]
    add("--stages", nargs="+", choices=stages, default=stages, help="only these")
    add("--steps", type=int, default=20000, help="of the prior")
    add("--every", type=int, default=2000, help="steps of the prior between two measurements of its samples")
    add("--count", type=int, default=300, help="samples of each")
    add("--folder", help="the unpacked npm package @vladmandic/face-api: measure the prior's samples by it")
    add("--output", type=Path, default=Path("outputs/train"), help="folder of the trainings")
    add_report(parser, folder, "curve of the prior")
    add_settings(parser, "train")


def train_all(options: argparse.Namespace) -> Path:
    """Train what is left to train; returns the folder of the trainings.

    Raises:
        SDGError: no time for anything, or as the trainings do.
    """
    if options.minutes < LEAST:
        raise SDGError(f"{options.minutes:g} minutes are too few to train: use --minutes 1, or more")
    end = time.monotonic() + 60 * options.minutes
    both = options.smiles and configuration("train", _of("smile64", options.smiles)).data
    aged = configuration("train", _of("faces64", options.photographs)).data
    everything = gather(aged, both, options.output / "faces")
    for stage in _stages(options, everything):
        if stage.name not in options.stages:
            continue
        if (
            stage.name == "clip"
            and steps_of(weights(options.output, "clip_pretrain")) < STEPS["clip_pretrain"]
        ):
            print("clip: waits until clip_pretrain is done, which it is a copy of")
        elif stage.name == "prior":
            _train_prior(options, stage, end)
        else:
            _train(options, stage, end)
    return options.output


def weights(output: Path, name: str) -> Path:
    """Where a training leaves its weights."""
    return output / f"faces64_{name}" / f"faces64_{name}.safetensors"


def steps_of(path: Path) -> int:
    """How many steps made exported weights; 0 if there are none."""
    return int(open_checkpoint(path).notes["steps"]) if path.is_file() else 0


def _of(data: str, root: str) -> list[str]:
    return [f"data={data}", f"data.root='{root}'"]


def _stages(options: argparse.Namespace, everything: Path) -> list[Stage]:
    clip = f"encoder.clip_checkpoint='{weights(options.output, 'clip_pretrain')}'"
    # Grey smiles and coloured ages: colour would tell which of the two a picture can be said to be.
    grey = ("model.grey=true",) if options.smiles else ()
    where = f"data.root='{everything}'"
    return [
        Stage("clip_pretrain", STEPS["clip_pretrain"], (where, *grey)),
        Stage("clip", STEPS["clip"], (where, clip)),
        Stage("prior", options.steps, (f"data.root='{options.photographs}'",)),
    ]


def _train_prior(options: argparse.Namespace, stage: Stage, end: float) -> None:
    """By turns: some steps, then samples of the averaged weights, and the curve."""
    file = weights(options.output, stage.name)
    curve = None if options.folder is None else Curve(options, file)
    done, before = steps_of(file), -1
    while True:
        whole = done > 0 and (done % options.every == 0 or done >= stage.steps)
        if curve is not None and whole and str(done) not in curve.points:
            curve.measure(done)
        if done >= stage.steps or done == before:
            return
        before, turn = done, min(stage.steps, (done // options.every + 1) * options.every)
        _train(options, stage._replace(steps=turn), end)
        done = steps_of(file)


def _train(options: argparse.Namespace, stage: Stage, end: float) -> None:
    """As far as the time reaches."""
    file, left = weights(options.output, stage.name), (end - time.monotonic()) / 60
    if (done := steps_of(file)) >= stage.steps:
        print(f"{stage.name}: all {done:,} steps are done")
        return
    if left < LEAST:
        print(f"{stage.name}: {done:,} of {stage.steps:,} steps; the same command goes on")
        return
    print(f"{stage.name}: from step {done:,} to {stage.steps:,}, {left:.0f} minutes at most", flush=True)
    large = ON_GPU[stage.name] if torch.cuda.is_available() else ()
    words = [
        f"+experiment=faces64_{stage.name}",
        f"output_dir='{file.parent}'",
        f"trainer.max_steps={stage.steps}",
        f"+callbacks.deadline={{_target_: sdg.training.budget.Deadline, minutes: {left:.3f}}}",
        *large,
        *stage.settings,
        *options.train,
    ]
    config = configuration("train", words)
    data: FileData = build(config.data)
    if not data.cache.exists():
        data.write_cache()  # decoded once, and mapped into memory from then on
    train(config)
