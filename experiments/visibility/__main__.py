"""What an encoder can tell apart at every noise level: ``python -m experiments.visibility`` (see ``--help``).

Needs pictures and sentences alone. Writes the table (``results.md``), the figure (``curve.png``) and, with
``--card``, the encoder's card, which ``guidance.contrast=mean`` and ``weight=visible`` read.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from hydra.utils import get_class
from omegaconf import DictConfig
from torch import Tensor

from experiments.command import add_report, add_settings, command
from experiments.running import configuration, invocation, launch, machine
from experiments.visibility.figure import draw_map
from experiments.visibility.questions import Exam, any_exam, read_pairs, toy_exam
from experiments.visibility.table import write_table
from sdg.checkpoints import load_weights, locate
from sdg.checkpoints.card import Card, write_card
from sdg.config import build
from sdg.data.prompts import read_prompts
from sdg.data.toyfaces.data import ToyFacesData
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.files import file_hash
from sdg.metrics.visibility import limit, visibility
from sdg.networks.clip import CLIP
from sdg.pixels import from_bytes
from sdg.training.retrieval_curve import levels

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    config = configuration("train", ["model=time_clip", *options.train])
    files = {
        kind: locate(config.encoder[key], setting=f"encoder.{key}")
        for kind, key in (("encoder", "checkpoint"), ("clip", "clip_checkpoint"))
    }
    device = "cuda" if torch.cuda.is_available() else "cpu"
    clip: CLIP = load_weights(build(config.encoder.clip), files["clip"]).eval().to(device)
    encoder = load_weights(build(config.encoder.network), files["encoder"]).eval().to(device)
    exam = prepare(options, config, clip)
    schedule: NoiseSchedule = build(config.encoder.schedule)
    at = levels(schedule)

    def by_encoder(x: Tensor, t: int) -> Tensor:
        pooled = encoder(x.to(device), torch.full((1,), t, device=device)).pooled
        return F.normalize(pooled, dim=-1)

    def by_clip(x: Tensor, t: int) -> Tensor:
        return clip.encode_image(x.to(device))

    def texts(sentences: Sequence[str]) -> Tensor:
        return clip.encode_text(sentences).cpu()

    asked = (texts, schedule, exam.pictures, exam.questions)
    seen, plain = visibility(by_encoder, *asked, at), visibility(by_clip, *asked, at[:1])
    options.report.mkdir(parents=True, exist_ok=True)
    words = invocation("visibility", arguments)
    draw_map(at, seen, options.report)
    known = {(q.a, q.b): limit(schedule, exam.pictures, q, at) for q in exam.questions if q.paired}
    write_table(at, seen, plain, exam.told, options.report, words, machine(), known)
    if options.card:
        with torch.no_grad():
            mean = torch.cat(
                [texts(exam.captions[i : i + 64]) for i in range(0, len(exam.captions), 64)]
            ).mean(dim=0)
        pairs = tuple((answer.a, answer.b, tuple(answer.accuracy)) for answer in seen)
        hashes = {kind: file_hash(file) for kind, file in files.items()}
        notes = {"command": words, "pictures": exam.told, "captions": len(exam.captions)}
        write_card(options.card, Card(tuple(at), pairs, mean, hashes), notes)
    print(f"look at {options.report / 'curve.png'} and results.md beside it")


def prepare(options: argparse.Namespace, config: DictConfig, clip: CLIP) -> Exam:
    """The pictures and questions that the options ask for.

    Raises:
        SDGError: there are no sentences for these pictures, or too few pictures.
    """
    if options.count < 2:
        raise SDGError(f"--count {options.count} tells nothing apart: use 2 or more")
    if options.pairs is None:
        if get_class(config.data["_target_"]) is not ToyFacesData:
            raise SDGError("nothing says what to tell apart in these pictures: give --pairs FILE")
        return toy_exam(options.count, config.data.size)
    pairs = read_pairs(options.pairs)
    data = build(config.data)
    data.setup("validate")
    batches: list[Tensor] = []
    for batch in data.val_dataloader():
        batches.append(from_bytes(batch["image"]))
        if sum(map(len, batches)) >= options.count:
            break
    captions = read_prompts(options.captions) if options.captions else []
    return any_exam(torch.cat(batches)[: options.count], pairs, clip, captions)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("visibility", "Measure which sentences an encoder can tell apart at every noise level.")
    add = parser.add_argument
    add("--count", type=int, default=96, help="pictures; of toy faces without --pairs, faces of each kind")
    add("--pairs", type=Path, help="pairs of sentences, a line each: a smiling woman | a frowning woman")
    add(
        "--captions", type=Path, help="sentences whose mean is put on the card; by default those of the pairs"
    )
    add("--card", type=Path, help="where to write the encoder's card, for encoder.card")
    add_settings(parser, "train")
    add_report(parser, FOLDER, "figure and the table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
