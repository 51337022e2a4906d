"""Other people's methods compared with ours: ``python -m experiments.baselines`` (see ``--help``).

sweep    finds settings for clip_x0 and stylegan_clip, on prompts that no result is measured on
methods  draws all methods towards the same prompts and references, side by side, and measures them
ilvr     ILVR against N: how much of a reference is kept, and how much samples differ

Finished samples are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.baselines import ilvr, methods, sweep
from experiments.baselines.contenders import CONTENDERS, SWEPT
from experiments.command import add_output, add_pairs, add_report, add_seed, add_settings, command, pair
from experiments.running import invocation, launch
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
STUDIES = {"sweep": sweep.study, "methods": methods.study, "ilvr": ilvr.study}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.samples < 2:
        raise SDGError("diversity is that of two samples of a target or more: use --samples 2 or more")
    if getattr(options, "prompts", 1) < 1 or getattr(options, "references", 2) < 2:
        raise SDGError("there is too little to aim at: use --prompts 1 and --references 2, or more")
    print(f"look at {STUDIES[options.study](options)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("baselines", __doc__, laid_out=True)
    studies = parser.add_subparsers(dest="study", required=True, metavar="{sweep,methods,ilvr}")
    _sweep(_study(studies, "sweep", samples=2, steps=50, seed=1))
    _methods(_study(studies, "methods", samples=3, steps=50, seed=0))
    _ilvr(_study(studies, "ilvr", samples=6, steps=100, seed=0))
    options = parser.parse_args(arguments)
    options.command = invocation("baselines", arguments)
    return options


def _sweep(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--methods", nargs="+", choices=SWEPT, default=SWEPT, help="which ones")
    add("--prompts", type=int, default=6, help="prompts of sweep.jsonl")
    add("--clip-scales", nargs="+", type=float, default=[50, 100, 200, 400, 800], help="of clip_x0")
    add("--spaces", nargs="+", choices=["z", "w", "w_plus"], default=["w", "w_plus"], help="of stylegan_clip")
    add("--search-steps", nargs="+", type=int, default=[18, 100, 300], help="of stylegan_clip")
    add("--rates", nargs="+", type=float, default=[0.02, 0.05, 0.1], help="learning rates of stylegan_clip")


def _methods(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--methods", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS), help="which ones")
    add("--prompts", type=int, default=12, help="prompts of prompts.jsonl")
    add("--references", type=int, default=8, help="reference faces")
    add_pairs(
        parser,
        "--scales",
        "METHOD=S",
        "guidance scales; of ilvr, N; of stylegan_clip, the learning rate",
        _scale,
    )
    add("--settings", type=Path, default=FOLDER / "settings.json", help="what sweep found")


def _ilvr(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--factors", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32], help="N")
    add("--references", type=int, default=8, help="reference faces")


def _study(studies: argparse._SubParsersAction, name: str, samples: int, steps: int, seed: int):  # type: ignore[no-untyped-def]
    """A study's parser, with the options that all share."""
    parser = studies.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--samples", type=int, default=samples, help="samples of every target")
    add("--steps", type=int, default=steps, help="sampling steps of chains")
    add_seed(parser, seed)
    add_output(parser, f"outputs/baselines/{name}")
    add_report(parser, FOLDER, "page and the figure")
    add_settings(parser, "sample", "evaluate")
    return parser


def _scale(text: str) -> tuple[str, float]:
    name, value = pair(text)
    if name not in CONTENDERS or CONTENDERS[name].knob is None:
        raise argparse.ArgumentTypeError(f"{name} has no scale")
    return name, value


if __name__ == "__main__":
    launch(main)
