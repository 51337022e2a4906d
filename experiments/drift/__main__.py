"""What guidance by words moves besides what is asked for: ``python -m experiments.drift`` (see ``--help``).

Draws held-out prompts with each way of guiding, from the same noises, and measures what prompts mention, by
two instruments, and what they don't. Finished samples are kept, so the command can be interrupted and rerun.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import study_command
from experiments.drift.table import write_table
from experiments.drift.ways import WAYS, ways
from experiments.grid import Study
from experiments.running import launch


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    compared = ways(options)
    study = Study(options, [f"metrics=[{','.join(options.metrics)}]"])
    path = write_table(study.all(compared), options.report, options.command)
    print(f"look at {path}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure what guidance by words moves besides what is asked for. Resumable."
    parser = study_command("drift", what, arguments, prompts=48, samples=4, seed=7)
    add = parser.add_argument
    add("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="of guiding")
    add(
        "--encoders", nargs="+", default=["toyfaces", "toyfaces_detail"], metavar="NAME",
        help="of conf/encoder, or folders with clip.safetensors, time_clip.safetensors and time_clip.json",
    )  # fmt: skip
    add(
        "--priors",
        nargs="*",
        type=Path,
        default=[],
        metavar="FILE",
        help="also, all of it, with these priors",
    )
    add("--sampler", default="balanced", help="of all")
    few = ["toyfaces", "fd_judge_guided"]
    add("--metrics", nargs="+", default=few, help="of each way; the distance needs 129 samples or more")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
