"""Every control under every sampler, measured by the held-out judge: ``python -m experiments.controls`` (see
``--help``).

Draws towards prompts, towards faces outside all training data (content, structure) and towards five painted
styles, then pairs prompts with pictures that disagree and shifts the weight from one to the other. Finished
samples are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_pairs, study_command
from experiments.controls.ways import COLUMNS, blend, mixed, studies, way
from experiments.grid import Columns, Point, Way, listed
from experiments.pages import head, protocols
from experiments.plotting import ACCENT, COLORS, canvas, plain_axes
from experiments.results import save_page
from experiments.running import launch

BLEND: Columns = {
    "disputed/words": ("as the words say", ".3f"),
    "disputed/picture": ("as in the picture", ".3f"),
}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    rows = {
        control: study.all([way(options, control, s, n) for s in options.samplers for n in options.steps])
        for control, study in studies(options).items()
        if control in options.controls
    }
    points = blend(options).all([mixed(share) for share in options.shares])
    draw_blend(options.shares, points, options.report)
    told: dict[str, str] = {}
    what = (
        f"{options.targets} targets (5 for style), {options.samples} samples of each; unguided: the samples "
        "of the same noise."
    )
    lines = head("Every control under every sampler, measured", options.command, what)
    for control, own in rows.items():
        cells = listed(["sampler", "steps"], own, COLUMNS[control], beside=True)
        lines += [f"## {control.capitalize()}", "", *cells]
        told |= own[0].report["protocols"]
    lines += [
        *("## Words and a picture that disagree", "", "![The curve](blend.png)", ""),
        *listed(["weight of the words"], points, BLEND),
        *("Six prompts with four references, two samples of each pair, 50 steps of ddpm.", ""),
        *protocols(told | points[0].report["protocols"]),
    ]
    path = save_page(options.report / "results.md", lines, __package__)
    print(f"look at {path} and blend.png beside it")


def draw_blend(shares: Sequence[float], points: Sequence[Point[Way]], folder: Path) -> None:
    """``blend.png`` and ``.svg``: which one is followed, against the weight of the words."""
    with canvas(folder, "blend", 5.2, 3.2, dpi=160) as figure:
        axes = figure.subplots()
        for (name, (label, _)), color in zip(BLEND.items(), (ACCENT, COLORS[0]), strict=True):
            values = [point.value(name) for point in points]
            axes.plot(shares, values, marker="o", color=color, linewidth=1.6, markersize=4)
            axes.annotate(label, (shares[-1], values[-1]), (6, 0), textcoords="offset points", va="center",
                          color=color)  # fmt: skip
        axes.set(xlabel="weight of the words; the picture has the rest", ylim=(0, 1))
        plain_axes(axes, "Attributes on which they disagree")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure text, content, structure and style guidance under every sampler. Resumable."
    parser = study_command("controls", what, arguments, targets=12, samples=6, seed=2)
    add = parser.add_argument
    samplers = ["ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_sde"]
    add("--controls", nargs="+", choices=[*COLUMNS], default=[*COLUMNS], help="what guides")
    add("--samplers", nargs="+", choices=samplers, default=samplers, help="what steps")
    add("--steps", nargs="+", type=int, default=[20, 50, 100], help="sampling steps")
    shares = [0, 0.25, 0.5, 0.75, 1]
    add("--shares", nargs="+", type=float, default=shares, help="of words against the picture")
    other = "guidance scales other than the configured ones"
    add_pairs(parser, "--scales", "CONTROL[/SAMPLER]=S", other)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
