"""One encoder guides priors of every schedule: ``python -m experiments.any_prior`` (see ``--help``).

Draws held-out prompts with the toy prior on timesteps, with the same prior along other schedules, and with
flow and EDM-preconditioned ones, all guided by the one time-dependent encoder that ships. The judge reads the
faces. Finished samples are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_seed, add_settings, command
from experiments.few_steps.points import Point, measure
from experiments.few_steps.ways import Way
from experiments.results import save_page
from experiments.running import invocation, launch, machine
from sdg.errors import SDGError
from sdg.files import write_whole

FOLDER = Path(__file__).parent
PROMPTS = FOLDER.parent / "text_alignment" / "prompts.jsonl"
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
    lines = PROMPTS.read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = lines[:: max(1, len(lines) // options.prompts)][: options.prompts]
    if options.samples < 2 or options.parts < 1 or len(chosen) % options.parts:
        raise SDGError(
            f"{len(chosen)} prompts cannot be dealt to {options.parts} parts with {options.samples} samples "
            "of each: change --parts, or --samples from 2"
        )
    compared = ways(options)
    prompts = options.output / "prompts.jsonl"
    prompts.parent.mkdir(parents=True, exist_ok=True)
    write_whole(prompts, "".join(chosen))
    points = []
    for number, way in enumerate(compared, start=1):
        print(f"{number} of {len(compared)}: {way.less}", flush=True)
        points.append(measure(options, way, prompts))
    write_table(points, options.report, invocation("any_prior", arguments))
    print(f"look at {options.report / 'results.md'}")


def write_table(points: Sequence[Point], folder: Path, words: str) -> None:
    """``results.md``: every prior beside the first."""
    first, counts = points[0], points[0].report["counts"]
    rows = []
    for point in points:
        cells = [
            f"{point.value(name):.3g} ({', '.join(map(_short, point.interval(name)))})" for name in MEASURES
        ]
        apart = 100 * (point.value("alignment/mentioned") - first.value("alignment/mentioned"))
        rows.append(f"| {point.way.less} | {' | '.join(cells)} | {apart:+.1f} |")
    lines = [
        "# One encoder, any prior, measured",
        "",
        f"`{words}`, on {machine()}. {counts['prompts']} prompts, {counts['guided'] // counts['prompts']} "
        f"samples of each, {first.way.sampler} in {first.way.steps} steps evenly in λ, "
        f"scale {first.way.scale:g}.",
        "",
        "| prior | " + " | ".join(MEASURES.values()) + " | points of mentioned right, beside the first |",
        "|---|" + "---:|" * (len(MEASURES) + 1),
        *rows,
        "",
        "## Protocols",
        "",
        *(f"- **{name}**: {protocol}." for name, protocol in first.report["protocols"].items()),
    ]
    save_page(folder / "results.md", lines, __package__)


def _short(value: float) -> str:
    return f"{value:.3g}"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("any_prior", "Guide priors of every schedule with one encoder. Resumable.")
    add = parser.add_argument
    add("--flow", type=Path, default=None, help="weights of +experiment=toyfaces_flow")
    add("--edm", type=Path, default=None, help="weights of +experiment=toyfaces_edm")
    add("--sampler", default="dpmpp_2m_sde", help="for all of them")
    add("--steps", type=int, default=20, help="sampling steps")
    add("--scale", type=float, default=400.0, help="guidance scale")
    add("--prompts", type=int, default=24, help="of the held-out prompts")
    add("--samples", type=int, default=2, help="samples of each")
    add("--parts", type=int, default=6, help="runs of each way, with prompts and noises of their own")
    add_seed(parser, 5)
    add_output(parser, "outputs/any_prior")
    add_report(parser, FOLDER, "table")
    add_settings(parser, "sample", "evaluate")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
