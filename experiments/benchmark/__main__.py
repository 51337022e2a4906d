"""Times sdg against its rivals: ``python -m experiments.benchmark`` (see ``--help``), or ``make bench``.

Times the same steps with the same weights and noise in several ways, in turn within one process, after
checking that all give the same output. Writes numbers (``<name>.json``), tables (``<name>.md``) and a figure
(``<name>.svg``), named after the model and unusual settings, and rewrites ``targets.md``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import sdg
from experiments.benchmark.contest import HALF, Contestant, apart, contestants
from experiments.benchmark.counters import Counts
from experiments.benchmark.distance import race_distances
from experiments.benchmark.measure import count, kernels, peak_bytes, peaks, race
from experiments.benchmark.networks import make_networks
from experiments.benchmark.profiling import write_profile
from experiments.benchmark.report import write_report
from experiments.benchmark.targets import write_targets
from experiments.command import add_report, command
from experiments.cost.flops import MODELS
from experiments.results import made_by
from experiments.running import invocation, launch, machine
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
TOLERANCE = 1e-3
"""Largest allowed difference of outputs, relative to their norm: float32 in another operation order."""
ROUNDED = 0.2
"""The same for half precision, after a few long steps, each guided from where the one before ended."""
DISTANCES = 1e-4
"""Largest allowed difference of Fréchet distances, relative to the value."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    check(options)
    # Random weights lead to denormal numbers, which a CPU is slow to multiply.
    torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32
    torch.backends.cudnn.deterministic = True  # as in sample.py
    spoken = invocation("benchmark", arguments)
    if options.profile:
        file = options.report / f"{name(options)}_profile.md"
        found = contestants(make_networks(options).on(options.device, dtype(options)), options)
        write_profile(found, options.steps, f"`{spoken}`, on {machine()}.", file)
    else:
        file = write_report(
            {"schema": 2, "command": spoken, "made": made_by(FOLDER), **measured(options)}, options.report
        )
        write_targets(options.report)
    print(f"look at {file}")


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """The contents of the report; raises SDGError if the compared outputs are not the same."""
    device = torch.device(options.device)
    networks = make_networks(options)
    print("counting", flush=True)
    counts = count(networks, options)
    here = networks.on(device) if device.type == "cuda" else networks
    found = contestants(here, options)
    print("comparing outputs", flush=True)
    distance = apart(found)
    if wrong := [way for way, far in distance.items() if not far < allowed(way)]:
        raise SDGError(f"not the same computation, so not comparable: {', '.join(wrong)}")
    if options.dtype != "float32":  # the dtype of the comparison
        found = contestants(here.on(device, dtype(options)), options)
    limits = peaks(device, options.batch, dtype(options))
    times = race([one.run for one in (*found, *limits)], options.rounds, device)
    # Compiled contestants are not counted, and come last.
    counted = [*counts, *[None] * (len(found) - len(counts))]
    rows = [row(*each, options) for each in zip(found, times[: len(found)], counted, strict=True)]
    for each in rows:
        each["apart"] = distance[f"{each['group']}: {each['name']}"]
    return {
        "machine": machine(),
        "gpu": device.type == "cuda",
        "sdg": sdg.__version__,
        "torch": torch.__version__,
        "name": name(options),
        **{key: getattr(options, key) for key in ("model", "size", "dtype", "batch", "steps", "rounds")},
        "peaks": [
            {"name": peak.name, "gflop_per_second": 1000 * peak.gflop / min(ms)}
            for peak, ms in zip(limits, times[len(found) :], strict=True)
        ],
        "rows": rows,
        "distance": distances(options.distance) if options.distance else None,
    }


def allowed(way: str) -> float:
    """How far the output of ``way`` may lie from ours."""
    return ROUNDED if way.endswith(HALF) else TOLERANCE


def row(
    one: Contestant, milliseconds: list[float], counted: Counts | None, options: argparse.Namespace
) -> dict[str, Any]:
    """All that is known about a step of one contestant."""
    device = torch.device(options.device)
    peak = peak_bytes(one, device) or (counted.peak if counted else None)
    return {
        "group": one.group,
        "name": one.name,
        "milliseconds": [ms / options.steps for ms in milliseconds],
        "gflop": counted.flops / 1e9 if counted else None,
        "operators": counted.operators if counted else None,
        "copies": counted.crossings.total() if counted else None,
        "reads": counted.reads.total() if counted else None,
        "peak_megabytes": peak / 1e6 if peak else None,
        "kernels": kernels(one, options.steps, device),
    }


def distances(width: int) -> dict[str, Any]:
    """Fréchet distances, timed; raises SDGError if they differ."""
    print("Fréchet distances", flush=True)
    found = race_distances(width)
    if not found["apart"] < DISTANCES:
        raise SDGError(f"Fréchet distances lie {found['apart']:.1e} apart: they are not the same")
    return found


def name(options: argparse.Namespace) -> str:
    """Name of the files: the model, and unusual settings."""
    unusual = {options.dtype: "float32", f"b{options.batch}": "b4", options.device: "cpu"}
    return "_".join([options.model, *(word for word, usual in unusual.items() if word != usual)])


def dtype(options: argparse.Namespace) -> torch.dtype:
    return getattr(torch, options.dtype)


def check(options: argparse.Namespace) -> None:
    """Raise SDGError for what cannot be timed."""
    if min(options.batch, options.steps, options.rounds) < 1 or options.steps < 2:
        raise SDGError("there is nothing to time: use --steps from 2, --batch and --rounds from 1")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SDGError("PyTorch finds no GPU here: use --device cpu")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Time a step against diffusers' UNet and against a loop with the released code's habits."
    parser = command("benchmark", what)
    add = parser.add_argument
    words = "prior and encoder; all but toyfaces random"
    add("--model", choices=list(MODELS), default="toyfaces", help=words)
    add("--size", type=int, default=None, help="side of the pictures, if not that of the model")
    choices = ["float32", "bfloat16", "float16"]
    add("--dtype", choices=choices, default="float32", help="of the networks, once they were found to agree")
    add("--device", choices=["cpu", "cuda"], default="cpu", help="what computes")
    add("--batch", type=int, default=4, help="pictures at a time")
    add("--steps", type=int, default=4, help="steps of a run")
    add("--rounds", type=int, default=9, help="runs of each way that are timed, in turns")
    add("--compile", action="store_true", help="also compile both UNets and the encoder; that takes minutes")
    add("--distance", type=int, default=2048, help="width of a Fréchet distance, against scipy's; 0: none")
    words = "instead write <name>_profile.md: what takes the time of our steps"
    add("--profile", action="store_true", help=words)
    add_report(parser, FOLDER, "what is written")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
