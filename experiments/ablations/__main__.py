"""One design choice at a time: ``python -m experiments.ablations`` (see ``--help``).

scale    the strength of guidance, for ddpm and for a few-step sampler
steps    the number of steps, for each sampler
encoder  the time-dependent encoder against plain CLIP as the guide, on x_t and on the predicted clean picture
mean     the gradient at x_t, as in the paper's code, against that at the mean, as in textbooks
gram     style: Gram matrices per sample, against the released ones, which mix the batch
all      all of them

Each writes a table (NAME.md) and its curves (NAME.png, NAME.svg). Finished samples are kept, and shared by
the ablations that need them, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence

from experiments.ablations import gram, words
from experiments.command import add_pairs, study_command, whole
from experiments.running import launch
from sdg.errors import SDGError

GRAM, ALL = "gram", "all"
NAMES = (*words.ABLATIONS, GRAM)
SAMPLERS = ("ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_sde")


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    chosen = [name for name in NAMES if {name, ALL} & set(options.ablations)]
    lab = words.Lab(options)
    for name in chosen:
        print(f"ablation: {name}", flush=True)
        print(f"look at {gram.study(options) if name == GRAM else lab.study(name)}", flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = study_command("ablations", __doc__, arguments, laid_out=True, prompts=24, samples=4, seed=5)
    add = parser.add_argument
    add("ablations", nargs="+", choices=[*NAMES, ALL], help="which ones")
    default = "(default: %(default)s)"
    add("--scales", nargs="+", type=float, default=[100, 200, 400, 800, 1600], help=f"of scale {default}")
    few = f"of encoder and mean {default}"
    add("--few-scales", nargs="+", type=float, default=[100, 200, 400, 800], help=few)
    add("--sampler", choices=SAMPLERS, default=SAMPLERS[-1], help=f"of scale, encoder and gram {default}")
    add("--steps", type=int, default=20, help=f"of all but steps {default}")
    compared = {"ddpm": 400.0, "dpmpp_2m": 800.0, "dpmpp_2m_sde": 400.0}
    told = "of steps, with their guidance scales (default: ddpm=400 dpmpp_2m=800 dpmpp_2m_sde=400)"
    add_pairs(parser, "--samplers", "SAMPLER=SCALE", told, default=compared)
    add("--counts", nargs="+", type=int, default=[10, 20, 50], help=f"of steps {default}")
    groups = f"samples in a batch, of gram {default}"
    add("--groups", nargs="+", type=int, default=[1, 2, 4, 8], help=groups)
    styled = whole("--style-samples", 2)
    add("--style-samples", type=styled, default=8, help=f"of every style {default}")
    options = parser.parse_args(arguments)
    _check(options)
    return options


def _check(options: argparse.Namespace) -> None:
    """Raise SDGError for what cannot be drawn as a curve."""
    stray = [name for name in options.samplers if name not in SAMPLERS]
    if stray or not options.samplers:
        raise SDGError(f"--samplers names {', '.join(stray) or 'none'}: choose {', '.join(SAMPLERS)}")
    for flag in ("scales", "few_scales", "counts", "groups"):
        values = getattr(options, flag)
        if min(values) <= 0:
            name = flag.replace("_", "-")
            raise SDGError(f"--{name} {min(values):g} has no place on the axis: use numbers above 0")
        setattr(options, flag, sorted(set(values)))


if __name__ == "__main__":
    launch(main)
