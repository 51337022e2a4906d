"""Every control under every sampler, measured by the held-out judge: ``python -m experiments.controls`` (see
``--help``).

Draws towards prompts, towards faces outside all training data (content, structure) and towards five painted
styles, then pairs prompts with pictures that disagree and shifts the weight from one to the other. Finished
samples are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_pairs, add_report, add_seed, add_settings, command
from experiments.controls.blend import draw_blend, measure_blend
from experiments.controls.study import measure, take_aim
from experiments.controls.table import write_table
from experiments.running import invocation, launch, load_judge, some
from experiments.text_alignment.prompts import HELD_OUT

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    take_aim(options)
    options.prompts = some(HELD_OUT, options.targets)

    judge = load_judge()
    grid = [(c, s, n) for c in options.controls for s in options.samplers for n in options.steps]
    rows = []
    for number, (control, sampler, steps) in enumerate(grid, start=1):
        print(f"{number} of {len(grid)}: {control}, {sampler}, {steps} steps", flush=True)
        rows.append(measure(options, control, sampler, steps, judge))
    points = [measure_blend(options, share, judge) for share in options.shares]

    draw_blend(points, options.report)
    path = write_table(rows, points, options, invocation("controls", arguments))
    print(f"look at {path} and blend.png beside it")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure text, content, structure and style guidance under every sampler. Resumable."
    parser = command("controls", what)
    add = parser.add_argument
    controls = ["text", "content", "structure", "style"]
    samplers = ["ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_sde"]
    add("--controls", nargs="+", choices=controls, default=controls, help="what guides")
    add("--samplers", nargs="+", choices=samplers, default=samplers, help="what steps")
    add("--steps", nargs="+", type=int, default=[20, 50, 100], help="sampling steps")
    add("--targets", type=int, default=12, help="prompts, and reference faces")
    add("--samples", type=int, default=6, help="samples of each")
    add(
        "--shares",
        nargs="+",
        type=float,
        default=[0, 0.25, 0.5, 0.75, 1],
        help="of words against the picture",
    )
    other = "guidance scales other than the configured ones"
    add_pairs(parser, "--scales", "CONTROL[/SAMPLER]=S", other)
    add_seed(parser, 2)
    add_output(parser, "outputs/controls")
    add_report(parser, FOLDER, "curve and the table")
    add_settings(parser, "sample")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
