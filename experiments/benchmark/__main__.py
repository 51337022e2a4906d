"""How fast sdg is, and against whom: ``python -m experiments.benchmark`` (see ``--help``), or ``make bench``.

Runs the same steps with the same weights and noise in several ways, in turns within one process, once all
have been found to give the same output, and writes numbers (``<model>.json``), tables (``<model>.md``) and a
figure (``<model>.svg``).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

import sdg
from experiments.benchmark.contest import contestants, make_networks, widest
from experiments.benchmark.measure import count, kernels, peaks, race
from experiments.benchmark.report import draw_bars, write_tables
from experiments.cost.__main__ import MODELS
from experiments.running import invocation, launch, machine
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
TOLERANCE = 1e-3
"""How far outputs may lie apart, relative to the largest value: float32 in another order of operations."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if min(options.batch, options.steps, options.rounds) < 1 or options.steps < 2:
        raise SDGError("there is nothing to time: use --steps from 2, --batch and --rounds from 1")
    # Random weights make numbers so small that a CPU is slow to multiply them.
    torch.set_flush_denormal(True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    networks = make_networks(options)
    print("counting", flush=True)
    counts = count(networks, options)
    found = contestants(networks.on(device) if device.type == "cuda" else networks, options)
    print("comparing outputs", flush=True)
    apart = widest(found)
    if wrong := [name for name, distance in apart.items() if not distance < TOLERANCE]:
        raise SDGError(f"not the same computation, so not comparable: {', '.join(wrong)}")
    limits = peaks(device, options.batch)
    times = race([one.run for one in (*found, *limits)], options.rounds, device)

    report = {
        "schema": 1,
        "command": invocation("benchmark", arguments),
        "machine": machine(),
        "gpu": device.type == "cuda",
        "sdg": sdg.__version__,
        "torch": torch.__version__,
        **{key: getattr(options, key) for key in ("model", "size", "batch", "steps", "rounds")},
        "peaks": [
            {"name": peak.name, "gflop_per_second": 1000 * peak.gflop / min(ms)}
            for peak, ms in zip(limits, times[len(found) :], strict=True)
        ],
        "rows": [
            {
                "group": one.group,
                "name": one.name,
                "milliseconds": [ms / options.steps for ms in milliseconds],
                "gflop": counted.flops / 1e9 if counted else None,
                "operators": counted.operators if counted else None,
                "copies": counted.crossings.total() if counted else None,
                "reads": counted.reads.total() if counted else None,
                "peak_megabytes": counted.peak / 1e6 if counted else None,
                "kernels": kernels(one, options.steps),
                "apart": apart[f"{one.group}: {one.name}"],
            }
            # What is compiled is not counted, and comes last.
            for one, milliseconds, counted in zip(
                found, times, [*counts, *[None] * (len(found) - len(counts))], strict=False
            )
        ],
    }
    options.report.mkdir(parents=True, exist_ok=True)
    (options.report / f"{options.model}.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    draw_bars(report, options.report / f"{options.model}.svg")
    write_tables(report, options.report / f"{options.model}.md")
    print(f"look at {options.report / options.model}.md")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmark",
        description="Time a step against diffusers' UNet and against a loop with the released code's habits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--model", choices=list(MODELS), default="toyfaces", help="prior and encoder; all but toyfaces random"
    )
    add("--size", type=int, default=None, help="side of the pictures, if not that of the model")
    add("--batch", type=int, default=4, help="pictures at a time")
    add("--steps", type=int, default=4, help="steps of a run")
    add("--rounds", type=int, default=9, help="runs of each way that are timed, in turns")
    add("--compile", action="store_true", help="both UNets compiled too; that takes minutes")
    add("--report", type=Path, default=FOLDER, help="folder of what is written")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
