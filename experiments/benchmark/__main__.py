"""How fast sdg is, and against whom: ``python -m experiments.benchmark`` (see ``--help``), or ``make bench``.

Runs the same steps with the same weights and noise in several ways, in turns within one process, once all
have been found to give the same output, and writes numbers (``<name>.json``), tables (``<name>.md``) and a
figure (``<name>.svg``), named by the model and the type of its weights.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

import sdg
from experiments.benchmark.contest import contestants, make_networks, widest
from experiments.benchmark.distance import race_distances
from experiments.benchmark.measure import count, kernels, peaks, race
from experiments.benchmark.report import draw_bars, write_tables
from experiments.cost.__main__ import MODELS
from experiments.running import invocation, launch, machine
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
TOLERANCE = 1e-3
"""How far outputs may lie apart, relative to the largest value: float32 in another order of operations."""
DISTANCES = 1e-4
"""How far Fréchet distances may lie apart, relative to the value."""


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
    here = networks.on(device) if device.type == "cuda" else networks
    found = contestants(here, options)
    print("comparing outputs", flush=True)
    apart = widest(found)
    if wrong := [name for name, distance in apart.items() if not distance < TOLERANCE]:
        raise SDGError(f"not the same computation, so not comparable: {', '.join(wrong)}")
    dtype: torch.dtype = getattr(torch, options.dtype)
    if dtype != torch.float32:  # in which they were compared
        found = contestants(here.on(device, dtype), options)
    limits = peaks(device, options.batch, dtype)
    times = race([one.run for one in (*found, *limits)], options.rounds, device)
    if options.distance:
        print("Fréchet distances", flush=True)
    distance = race_distances(options.distance) if options.distance else None
    if distance and not distance["apart"] < DISTANCES:
        raise SDGError(f"Fréchet distances lie {distance['apart']:.1e} apart: they are not the same")

    report = {
        "schema": 2,
        "command": invocation("benchmark", arguments),
        "machine": machine(),
        "gpu": device.type == "cuda",
        "sdg": sdg.__version__,
        "torch": torch.__version__,
        "name": options.model + ("" if options.dtype == "float32" else f"_{options.dtype}"),
        **{key: getattr(options, key) for key in ("model", "size", "dtype", "batch", "steps", "rounds")},
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
        "distance": distance,
    }
    options.report.mkdir(parents=True, exist_ok=True)
    file = options.report / report["name"]
    file.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    draw_bars(report, file.with_suffix(".svg"))
    write_tables(report, file.with_suffix(".md"))
    print(f"look at {file}.md")


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
    choices = ["float32", "bfloat16", "float16"]
    add("--dtype", choices=choices, default="float32", help="of the networks, once they were found to agree")
    add("--batch", type=int, default=4, help="pictures at a time")
    add("--steps", type=int, default=4, help="steps of a run")
    add("--rounds", type=int, default=9, help="runs of each way that are timed, in turns")
    add("--compile", action="store_true", help="also compile both UNets and the encoder; that takes minutes")
    add("--distance", type=int, default=2048, help="width of a Fréchet distance, against scipy's; 0: none")
    add("--report", type=Path, default=FOLDER, help="folder of what is written")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
