"""How fast each sampler reaches a known posterior: ``python -m experiments.samplers`` (see ``--help``).

Draws from an exact prior, with and without an exact guide, at increasing numbers of steps, and writes the
table (``results.md``) and the figure (``curve.png``, ``curve.svg``) of the error against the closed form;
and a table of every spacing with every sampler, in few steps (``spacings.md``).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_report, add_seed, command
from experiments.running import invocation, launch, machine
from experiments.samplers.figure import draw_curve
from experiments.samplers.spacings import compare, write_spacings
from experiments.samplers.study import AT_MEAN, METHODS, error
from experiments.samplers.table import Errors, write_table
from sdg.errors import SDGError

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    steps = sorted(set(options.steps))
    if steps[0] < 2 or min(options.images, options.size) < 1:
        raise SDGError("there is nothing to compare: use --steps from 2, --images and --size from 1")
    errors: Errors = {}
    for guided, methods in ((False, METHODS), (True, METHODS + AT_MEAN)):
        for method in methods:
            print("guided  " if guided else "unguided", method.name, flush=True)
            errors[guided, method.name] = {
                n: error(method, n, guided, options.images, options.size, options.seed) for n in steps
            }

    options.report.mkdir(parents=True, exist_ok=True)
    pixels = options.images * options.size**2
    draw_curve(errors, pixels, options.report)
    words = invocation("samplers", arguments)
    write_table(errors, pixels, options.report, words, machine())
    found = compare(options.images, options.size, options.seed)
    write_spacings(found, pixels, options.report, words, machine())
    print(f"look at {options.report / 'results.md'} and curve.png beside it")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure how far each sampler stays from a posterior known in closed form."
    parser = command("samplers", what)
    add = parser.add_argument
    add("--steps", nargs="+", type=int, default=[5, 10, 20, 50, 100, 250], help="sampling steps")
    add("--images", type=int, default=4, help="images; each of their pixels is a draw")
    add("--size", type=int, default=128, help="side of the images, in pixels")
    add_seed(parser, 0, "noise")
    add_report(parser, FOLDER, "figure and the table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
