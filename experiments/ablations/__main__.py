"""One design choice at a time: ``python -m experiments.ablations`` (see ``--help``).

encoder  the time-dependent encoder against plain CLIP as the guide, on x_t and on the predicted clean picture
mean     the gradient at x_t, as in the paper's code, against that at the mean, as in textbooks
gram     style: Gram matrices per sample, against the released ones, which mix the batch
all      all of them

Each writes a table (NAME.md) and its curves (NAME.png, NAME.svg). Finished samples are kept, so the command
can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence

from experiments.ablations import gram, words
from experiments.command import study_command, whole
from experiments.running import launch
from sdg.errors import SDGError

GRAM, ALL = "gram", "all"
NAMES = (*words.ABLATIONS, GRAM)
SAMPLERS = ("ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_sde")


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    chosen = [name for name in NAMES if {name, ALL} & set(options.ablations)]
    for name in chosen:
        print(f"ablation: {name}", flush=True)
        page = gram.study(options) if name == GRAM else words.study(options, name)
        print(f"look at {page}", flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = study_command("ablations", __doc__, arguments, laid_out=True, prompts=24, samples=4, seed=5)
    add = parser.add_argument
    add("ablations", nargs="+", choices=[*NAMES, ALL], help="which ones")
    default = "(default: %(default)s)"
    of = f"of encoder and mean {default}"
    add("--scales", nargs="+", type=float, default=[100, 200, 400, 800], help=of)
    add("--sampler", choices=SAMPLERS, default=SAMPLERS[-1], help=f"of encoder and gram {default}")
    add("--steps", type=int, default=20, help=f"sampling steps {default}")
    groups = f"samples in a batch, of gram {default}"
    add("--groups", nargs="+", type=int, default=[1, 2, 4, 8], help=groups)
    styled = whole("--style-samples", 2)
    add("--style-samples", type=styled, default=8, help=f"of every style {default}")
    options = parser.parse_args(arguments)
    _check(options)
    return options


def _check(options: argparse.Namespace) -> None:
    """Raise SDGError for what cannot be drawn as a curve."""
    for flag in ("scales", "groups"):
        values = getattr(options, flag)
        if min(values) <= 0:
            raise SDGError(f"--{flag} {min(values):g} has no place on the axis: use numbers above 0")
        setattr(options, flag, sorted(set(values)))


if __name__ == "__main__":
    launch(main)
