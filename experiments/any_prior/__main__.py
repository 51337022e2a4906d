"""One encoder guides priors of every schedule: ``python -m experiments.any_prior`` (see ``--help``).

Draws held-out prompts with the toy prior on timesteps, with the same prior along other schedules, and with
flow and EDM-preconditioned ones, all guided by the one time-dependent encoder that ships. The judge reads the
faces. Finished samples are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import study_command
from experiments.grid import Study, Way, listed
from experiments.matched import COLUMNS, QUALITY
from experiments.pages import head, protocols
from experiments.results import save_page
from experiments.running import launch
from sdg.errors import SDGError

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
    shared = [
        f"sampler={options.sampler}",
        f"sampler.steps={options.steps}",
        f"guidance.scale={options.scale:g}",
        "guidance=text",
        "sampler/spacing=log_snr",
    ]
    return [
        Way(f"{options.sampler}, {options.steps} steps, {words}", [*shared, *settings], [words])
        for words, settings in (PRIORS | trained).items()
    ]


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    points = Study(options, QUALITY).all(ways(options))
    first, right = points[0], "alignment/mentioned"
    what = f"{first.size}, {options.sampler} in {options.steps} steps evenly in λ, scale {options.scale:g}."
    beside = {
        "points of mentioned right, beside the first": lambda p: (
            f"{100 * (p.value(right) - first.value(right)):+.1f}"
        )
    }
    lines = [
        *head("One encoder, any prior, measured", options.command, what),
        *listed(["prior"], points, COLUMNS, beside),
        *protocols(first.report["protocols"]),
    ]
    print(f"look at {save_page(options.report / 'results.md', lines, __package__)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Guide priors of every schedule with one encoder. Resumable."
    parser = study_command("any_prior", what, arguments, prompts=24, samples=2, parts=6, seed=5)
    add = parser.add_argument
    add("--flow", type=Path, default=None, help="weights of +experiment=toyfaces_flow")
    add("--edm", type=Path, default=None, help="weights of +experiment=toyfaces_edm")
    add("--sampler", default="dpmpp_2m_sde", help="for all of them")
    add("--steps", type=int, default=20, help="sampling steps")
    add("--scale", type=float, default=400.0, help="guidance scale")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
