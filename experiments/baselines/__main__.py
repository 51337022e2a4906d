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
from experiments.command import add_pairs, add_study, command, pair
from experiments.running import launch

FOLDER = Path(__file__).parent
AIMED = [name for name in CONTENDERS if name != "unguided"]
STUDIES = {"sweep": sweep.study, "methods": methods.study, "ilvr": ilvr.study}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    options.sample = [f"sampler.steps={options.steps}", *options.sample]
    print(f"look at {STUDIES[options.study](options)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("baselines", __doc__, laid_out=True)
    studies = parser.add_subparsers(dest="study", required=True, metavar="{sweep,methods,ilvr}")
    sizes = {
        "sweep": {"steps": 50, "prompts": 6, "samples": 2, "seed": 1},
        "methods": {"steps": 50, "prompts": 12, "references": 8, "samples": 3, "seed": 0},
        "ilvr": {"steps": 100, "references": 8, "samples": 6, "seed": 0},
    }
    for name, add_own in (("sweep", _sweep), ("methods", _methods), ("ilvr", _ilvr)):
        one = studies.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        add_own(one)
        add_study(one, "baselines", arguments, name, **sizes[name])
    return parser.parse_args(arguments)


def _sweep(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--methods", nargs="+", choices=SWEPT, default=SWEPT, help="which ones")
    add("--clip-scales", nargs="+", type=float, default=[50, 100, 200, 400, 800], help="of clip_x0")
    add("--spaces", nargs="+", choices=["z", "w", "w_plus"], default=["w", "w_plus"], help="of stylegan_clip")
    add("--search-steps", nargs="+", type=int, default=[18, 100, 300], help="of stylegan_clip")
    add("--rates", nargs="+", type=float, default=[0.02, 0.05, 0.1], help="learning rates of stylegan_clip")


def _methods(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--methods", nargs="+", choices=AIMED, default=AIMED, help="which ones")
    words = "guidance scales; of ilvr, N; of stylegan_clip, the learning rate"
    add_pairs(parser, "--scales", "METHOD=S", words, _scale)
    add("--settings", type=Path, default=FOLDER / "settings.json", help="what sweep found")


def _ilvr(parser: argparse.ArgumentParser) -> None:
    factors = [1, 2, 4, 8, 16, 32]
    parser.add_argument("--factors", nargs="+", type=int, default=factors, help="N")


def _scale(text: str) -> tuple[str, float]:
    name, value = pair(text)
    if name not in CONTENDERS or CONTENDERS[name].knob is None:
        raise argparse.ArgumentTypeError(f"{name} has no scale")
    return name, value


if __name__ == "__main__":
    launch(main)
