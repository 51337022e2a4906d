"""What fewer steps cost in quality: ``python -m experiments.few_steps`` (see ``--help``).

Draws held-out prompts with every sampler at increasing numbers of steps, and with one sampler that also calls
the encoder less often. The judge reads the faces, and whole chains are timed in turn. Finished samples and
rounds are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence

import torch

from experiments.command import add_pairs, study_command, whole
from experiments.few_steps.figure import draw_curve
from experiments.few_steps.table import cheapest, write_table
from experiments.few_steps.ways import ways
from experiments.grid import Study
from experiments.matched import QUALITY
from experiments.racing import drawing, race
from experiments.running import launch
from sdg.sampling.networks import Networks


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    compared, study = ways(options), Study(options, QUALITY)
    points = study.all(compared)
    networks = Networks("cuda" if torch.cuda.is_available() else "cpu")
    runs = {w.name: drawing([*w.settings, *options.sample], networks, options.seed) for w in compared}
    quickest = min(compared, key=lambda way: way.steps).name
    times = race(runs, options.output / "times.json", options.rounds, quickest)

    draw_curve(points, times, options.report)
    path = write_table(points, times, options.report, options.command)
    print(f"no worse in what is mentioned: {cheapest(points, times, 'alignment/mentioned')}")
    print(f"look at {path} and curve.png beside it")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure quality against cost of samplers, steps and rarer guidance. Resumable."
    parser = study_command("few_steps", what, arguments, prompts=24, samples=2, parts=6, seed=5)
    add = parser.add_argument
    scales = {"ddpm": 400.0, "ddim": 800.0, "dpmpp_2m": 800.0, "dpmpp_2m_sde": 400.0}
    words = "samplers, or sampler:spacing, with their guidance scales; the first is the yardstick"
    add_pairs(parser, "--samplers", "SAMPLER[:SPACING]=SCALE", words, default=scales)
    add("--steps", nargs="+", type=int, default=[5, 10, 20, 50, 100], help="sampling steps")
    add("--less", default="dpmpp_2m_sde", help="the sampler that also asks the encoder less often")
    add("--less-steps", nargs="*", type=int, default=[20, 50], help="the steps in which it does")
    add("--every", nargs="*", type=int, default=[2, 4], help="ask at every that many steps only")
    add("--interval", nargs=2, type=float, default=[0.1, 0.7], help="of progress in which it is asked at all")
    add("--rounds", type=whole("--rounds", 1), default=3, help="times that each way is timed, in turns")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
