"""What guidance costs: ``python -m experiments.cost`` (see ``--help``).

Times a step of the chain without guidance and under every control, in turn within one process, and compares
the ratios of times with those of arithmetic. All networks have random weights: these change what is drawn,
but not what it costs.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from experiments import pages
from experiments.command import add_report, command
from experiments.cost.flops import MODELS, FlopCount
from experiments.results import save_page
from experiments.running import configuration, invocation, launch
from sdg.config import build
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.timeline import Timeline
from sdg.guidance.guidance import Guidance
from sdg.guidance.targets import Aim, Reference
from sdg.networks.fast import quicken
from sdg.progress import Bar
from sdg.randomness import keyed_generator

FOLDER = Path(__file__).parent
CONTROLS = ("unguided", "text", "content", "structure", "style", "mix")


class Cost(NamedTuple):
    """Cost of one control."""

    milliseconds: list[float]
    """For each round, per step of the whole batch."""
    gflop: float
    """Per step of the whole batch."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    options.report.mkdir(parents=True, exist_ok=True)
    what = f"Medians of {options.rounds} rounds of {options.steps} steps."
    lines = pages.head("What guidance costs, measured", invocation("cost", arguments), what)
    for model in options.models:
        lines += table(model, options, measure(model, options))
    save_page(options.report / "results.md", lines, "experiments.cost")
    print("\n".join(lines))


def measure(model: str, options: argparse.Namespace) -> dict[str, Cost]:
    """Time all controls in turn."""
    runs = {control: prepare(model, control, options) for control in CONTROLS}
    gflop = {}
    for control, run in runs.items():
        with FlopCount() as counted:
            run()
        gflop[control] = counted.flops / options.steps / 1e9
    times: dict[str, list[float]] = {control: [] for control in CONTROLS}
    for _ in Bar(range(options.rounds), desc=model):
        for control, run in runs.items():
            start = time.perf_counter()
            run()
            times[control].append(1000 * (time.perf_counter() - start) / options.steps)
    return {control: Cost(times[control], gflop[control]) for control in CONTROLS}


def prepare(model: str, control: str, options: argparse.Namespace) -> Callable[[], None]:
    """A run of a few steps of one control, with everything done that happens only once."""
    guidance_group = "text" if control == "unguided" else control
    settings = [*MODELS[model], f"guidance={guidance_group}"]
    if options.size:
        settings += [
            f"prior.denoiser.image_size={options.size}",
            f"encoder.network.image_size={options.size}",
        ]
    config = configuration("sample", settings)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = build(config.prior.denoiser).to(device).eval().requires_grad_(False)
        encoder = build(config.encoder.network).to(device)
    for network in (denoiser.network, encoder):
        quicken(network, channels_last=options.channels_last)
    guidance: Guidance = build(config.guidance, encoder=encoder)
    timeline = Timeline(denoiser.schedule, options.steps)
    keys = [(0, index) for index in range(options.batch)]
    shape = (options.batch, denoiser.channels, denoiser.image_size, denoiser.image_size)
    clean = torch.randn(shape, generator=keyed_generator("cost")).clamp(-1, 1).to(device)
    words = torch.nn.functional.normalize(
        torch.randn(options.batch, config.encoder.network.output_dim, generator=keyed_generator("words"))
    ).to(device)
    scale = torch.ones(options.batch, device=device)
    rule = build(config.sampler.rule)

    def run() -> None:
        reference = Reference(clean, NoiseSource(keys, "reference"))
        kinds = {name: term.reads for name, term in guidance.terms.items()}
        aim = Aim(
            guidance.encode,
            {name: words for name, kind in kinds.items() if kind == "prompt"},
            {name: reference for name, kind in kinds.items() if kind == "reference"},
        )

        def guide(x: torch.Tensor, level: Level) -> torch.Tensor:
            return guidance(x, level, aim.at(level), scale).gradient

        steering = None if control == "unguided" else guide
        generate(denoiser, rule, timeline, NoiseSource(keys), steering, device=device)
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def table(model: str, options: argparse.Namespace, costs: dict[str, Cost]) -> list[str]:
    """The lines of one model's table."""
    base = costs["unguided"]
    size = f"{options.size}-px pictures" if options.size else "pictures of its own size"
    rows = []
    for control, cost in costs.items():
        ratios = [own / before for own, before in zip(cost.milliseconds, base.milliseconds, strict=True)]
        time_ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f})"
        rows.append([control, f"{cost.gflop:.1f}", f"{cost.gflop / base.gflop:.2f}", time_ratio])
    heads = ["control", "GFLOP a step", "of the unguided", "time of the unguided, median (range)"]
    return [f"## {model}: {size}, {options.batch} at a time", "", *pages.table(heads, rows)]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("cost", "Time a step under every control against one without guidance.")
    add = parser.add_argument
    add("--models", nargs="+", choices=list(MODELS), default=["toyfaces"], help="priors and their encoders")
    add("--size", type=int, default=None, help="side of the pictures, if not that of the models")
    add("--batch", type=int, default=4, help="pictures at a time")
    add("--steps", type=int, default=4, help="steps of a run")
    add("--rounds", type=int, default=7, help="runs of every control, in turns")
    add("--channels-last", action="store_true", help="as sample.py channels_last=true")
    add_report(parser, FOLDER, "table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
