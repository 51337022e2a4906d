"""What fine-tuning buys: ``python -m experiments.retrieval`` (see ``--help``).

Searches all validation pictures for the clean version of a noised one, at eleven noise levels, with the
time-dependent encoder and with the CLIP it was initialised from, and writes the figure (``curve.png``) and
the table (``results.md``).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig

from experiments.command import add_report, add_settings, command
from experiments.pages import head, table
from experiments.results import save_page
from experiments.running import configuration, invocation, launch
from sdg.checkpoints import load_weights
from sdg.config import build
from sdg.pixels import from_bytes
from sdg.training.retrieval_curve import draw_curves, levels, retrieval_curves

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    config = configuration("train", [f"+experiment={options.experiment}", *options.train])
    options.report.mkdir(parents=True, exist_ok=True)
    title, cells = search(config, options.report / "curve.png")
    lines = [*head(title, invocation("retrieval", arguments)), *cells]
    path = save_page(options.report / "results.md", lines, "experiments.retrieval")
    print(f"look at {options.report / 'curve.png'} and {path.name} beside it")


def search(config: DictConfig, figure: Path) -> tuple[str, list[str]]:
    """Draw the figure of a training of the encoder that is done; returns a title, and the lines of the table.

    Args:
        config: of ``train.py``.
    """
    clip = build(config.model.clip).eval()
    encoder = load_weights(build(config.encoder.network), config.encoder.checkpoint).eval()
    data = build(config.data)
    data.setup("validate")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    batches = [from_bytes(batch["image"].to(device)) for batch in data.val_dataloader()]
    schedule = build(config.encoder.schedule)
    curves = retrieval_curves(clip.to(device), encoder.to(device), schedule, batches)
    pool, at = sum(map(len, batches)), levels(schedule)
    draw_curves(at, curves, pool).save(figure)
    rows = [
        [str(t), *(f"{value:.3f}" for value in values)]
        for t, values in zip(at, zip(*curves.values(), strict=True), strict=True)
    ]
    return f"Top-1 among {pool} validation pictures", table(["t", *curves], rows)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("retrieval", "Measure what an encoder still sees at every noise level.")
    words = "the training whose encoder, data and schedule are taken"
    parser.add_argument("--experiment", default="toyfaces_clip", help=words)
    add_settings(parser, "train")
    add_report(parser, FOLDER, "figure and the table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
