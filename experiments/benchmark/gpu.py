"""The GPU's rows of targets.md in one call: ``python -m experiments.benchmark.gpu``, or ``make bench-gpu``.

Command-line arguments are passed on to every run: ``--device cpu --size 64`` tries it without a GPU.
"""

from collections.abc import Sequence

from experiments.benchmark.__main__ import main as benchmark
from experiments.running import launch

RUNS = ("--model ffhq --batch 8", "--model lsun --batch 8", "--model lsun --batch 1")
ALWAYS = "--dtype bfloat16 --compile --distance 0 --device cuda"


def main(arguments: Sequence[str]) -> None:
    for run in RUNS:
        benchmark([*run.split(), *ALWAYS.split(), *arguments])


if __name__ == "__main__":
    launch(main)
