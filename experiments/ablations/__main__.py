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
from pathlib import Path

from experiments.ablations import gram, text
from experiments.ablations.lab import Lab
from experiments.command import add_output, add_pairs, add_report, add_seed, add_settings, command
from experiments.running import invocation, launch
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
GRAM, ALL = "gram", "all"
NAMES = (*text.ABLATIONS, GRAM)
SAMPLERS = ("ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_sde")


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    chosen = [name for name in NAMES if {name, ALL} & set(options.ablations)]
    lab = Lab(options) if set(chosen) & set(text.ABLATIONS) else None
    for name in chosen:
        print(f"ablation: {name}", flush=True)
        page = gram.study(options) if lab is None or name == GRAM else text.study(options, name, lab)
        print(f"look at {page}", flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("ablations", __doc__, laid_out=True)
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
    add("--prompts", type=int, default=24, help=f"of all but gram {default}")
    add("--samples", type=int, default=4, help=f"of every prompt {default}")
    add("--style-samples", type=int, default=8, help=f"of every style {default}")
    add_seed(parser, 5)
    add_output(parser, "outputs/ablations")
    add_report(parser, FOLDER, "tables and the curves")
    add_settings(parser, "sample", "evaluate")
    options = parser.parse_args(arguments)
    options.command = invocation("ablations", arguments)
    _check(options)
    return options


def _check(options: argparse.Namespace) -> None:
    """Raise SDGError for what cannot be drawn as a curve."""
    if options.samples < 2 or options.prompts < 1 or options.style_samples < 1:
        raise SDGError(
            "diversity is that of two samples of a prompt or more: use --samples 2, --prompts 1 and "
            "--style-samples 1, or more"
        )
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
