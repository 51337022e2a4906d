"""One encoder guides priors of every schedule: ``python -m experiments.any_prior`` (see ``--help``).

Draws held-out prompts with the toy prior on timesteps, with the same prior along other schedules, and with
flow and EDM-preconditioned ones, all guided by the one time-dependent encoder that ships. The judge reads the
faces. Finished samples are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_settings, add_sizes, command
from experiments.few_steps.ways import Way
from experiments.grid import Point, Study
from experiments.matched import DISTANCE
from experiments.pages import cell, head, protocols, table
from experiments.results import save_page
from experiments.running import invocation, launch
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
METRICS = ["metrics=[alignment,diversity_judge]", DISTANCE]
MEASURES = {"alignment/mentioned": "mentioned right", "alignment/all": "all right", "distance": "distance"}
PRIORS = {
    "x_0 on timesteps, as shipped": [],
    "the same, along a flow": ["sampler/schedule=flow"],
    "the same, along exploding variance": ["sampler/schedule=exploding"],
    "in the coat of a flow": ["prior=toyfaces_flow"],
    "in the coat of EDM": ["prior=toyfaces_edm"],
}
"""Priors by name, with the settings that choose them; the first is the yardstick."""


def ways(options: argparse.Namespace) -> list[Way]:
    """All of :data:`PRIORS`, and those whose trained weights are given; the levels of the chains are alike.

    Raises:
        SDGError: weights that are not there.
    """
    trained = {}
    for name, kind in (("flow", "flow"), ("edm", "edm")):
        if (path := getattr(options, name)) is None:
            continue
        if not path.is_file():
            raise SDGError(f"there is no file at {path}: train it with +experiment=toyfaces_{kind}")
        trained[f"trained as {'a flow' if kind == 'flow' else 'EDM is'}"] = [
            f"prior=toyfaces_{kind}", f"prior.checkpoint='{path}'",
        ]  # fmt: skip
    return [
        Way(options.sampler, options.steps, options.scale, words, ("sampler/spacing=log_snr", *settings))
        for words, settings in (PRIORS | trained).items()
    ]


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    compared, study = ways(options), Study(options, METRICS)
    path = write_table(study.all(compared), options.report, invocation("any_prior", arguments))
    print(f"look at {path}")


def write_table(points: Sequence[Point[Way]], folder: Path, words: str) -> Path:
    """``results.md``: every prior beside the first."""
    first, counts = points[0], points[0].report["counts"]
    what = (
        f"{counts['prompts']} prompts, {counts['guided'] // counts['prompts']} samples of each, "
        f"{first.way.sampler} in {first.way.steps} steps evenly in λ, scale {first.way.scale:g}."
    )
    rows = [
        [
            p.way.less,
            *(cell(p.measures[name], ".3g") for name in MEASURES),
            f"{100 * (p.value('alignment/mentioned') - first.value('alignment/mentioned')):+.1f}",
        ]
        for p in points
    ]
    lines = [
        *head("One encoder, any prior, measured", words, what),
        *table(["prior", *MEASURES.values(), "points of mentioned right, beside the first"], rows),
        *protocols(first.report["protocols"]),
    ]
    return save_page(folder / "results.md", lines, __package__)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("any_prior", "Guide priors of every schedule with one encoder. Resumable.")
    add = parser.add_argument
    add("--flow", type=Path, default=None, help="weights of +experiment=toyfaces_flow")
    add("--edm", type=Path, default=None, help="weights of +experiment=toyfaces_edm")
    add("--sampler", default="dpmpp_2m_sde", help="for all of them")
    add("--steps", type=int, default=20, help="sampling steps")
    add("--scale", type=float, default=400.0, help="guidance scale")
    add_sizes(parser, prompts=24, samples=2, parts=6, seed=5)
    add_output(parser, "outputs/any_prior")
    add_report(parser, FOLDER, "table")
    add_settings(parser, "sample", "evaluate")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
