"""What drawing costs as there are more pictures at a time, as they are larger, and in more steps.

``python -m experiments.benchmark.growth`` (see ``--help``) times chains of one model, guided and unguided, in
turns within one process, and adds them to ``growth.json``, ``growth.md`` and the figure. Weights are random:
what is computed costs the same whatever they are. Rounds are kept, so it can be interrupted.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.benchmark.grown import (
    GROWTHS,
    GUIDED,
    UNGUIDED,
    WAYS,
    Chain,
    Times,
    guided_of,
    one_of_four,
)
from experiments.benchmark.networks import fill
from experiments.benchmark.report import relative
from experiments.benchmark.targets import write_targets
from experiments.command import add_output, add_report, command
from experiments.cost.flops import MODELS
from experiments.pages import table
from experiments.plotting import COLORS, canvas, plain_axes
from experiments.racing import Run, race
from experiments.results import made_by, save_lines
from experiments.running import configuration, invocation, launch, machine
from sdg.config import build
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.estimators.sdg import SDG
from sdg.estimators.steer import Steer
from sdg.files import write_whole
from sdg.guidance.guidance import Guidance
from sdg.guidance.score import Aimed
from sdg.guidance.targets import Aim
from sdg.guidance.text import Text
from sdg.networks.fast import quicken

FOLDER = Path(__file__).parent
TITLES = {"pictures": "Pictures at a time", "side": "Side of a picture in pixels", "steps": "Steps"}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.rounds < 1:
        raise SDGError("there is nothing to time: use --rounds from 1")
    torch.set_flush_denormal(True)  # as in sample.py
    growth = GROWTHS[options.model]
    wanted = dict.fromkeys(chain for size in growth.grown for chain in growth.chains(size))
    runs = dict(_runs(options.model, list(wanted), growth.channels_last))
    times = race(runs, options.output / f"{options.model}.json", options.rounds, next(iter(runs)))
    file = options.report / "growth.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    known[options.model] = {
        "command": invocation("benchmark.growth", arguments),
        "machine": machine(),
        "made": made_by(FOLDER),
        "times": times,
    }
    options.report.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(known, indent=1) + "\n")
    page = write(known, options.report)
    write_targets(options.report)
    print(f"look at {page}")


def _runs(model: str, chains: Sequence[Chain], channels_last: bool) -> Iterator[tuple[str, Run]]:
    """Each chain, guided and not, by name."""
    for side in dict.fromkeys(chain.side for chain in chains):
        settings = [f"{part}.image_size={side}" for part in ("prior.denoiser", "encoder.network")]
        config = configuration("sample", [*MODELS[model], *settings])
        parts = config.prior.denoiser, config.encoder.network
        denoiser, encoder = (build(part).eval().requires_grad_(False) for part in parts)
        for network in (denoiser.network, encoder):
            quicken(fill(network), channels_last=channels_last)
        width = int(config.encoder.network.output_dim)
        target = F.normalize(torch.ones(1, width), dim=-1)
        guidance = Guidance(encoder, {"text": Text()}, scale=1.0)
        for chain in (chain for chain in chains if chain.side == side):
            yield f"{chain}, {GUIDED}", _run(chain, denoiser, guidance, target)
            yield f"{chain}, {UNGUIDED}", _run(chain, denoiser, None, target)


def _run(chain: Chain, denoiser: Any, guidance: Guidance | None, target: Tensor) -> Run:
    timeline = Timeline(denoiser.schedule, chain.steps)
    keys = [(0, index) for index in range(chain.pictures)]
    targets = {"text": target.expand(chain.pictures, -1)}

    def run() -> Tensor:
        noise, pilot = NoiseSource(keys), None
        if guidance is not None:
            aimed = Aimed(guidance, Aim(guidance.encode, targets, {}), torch.ones(chain.pictures))
            pilot = Steer(SDG(), aimed, noise.other("estimate"))
        return generate(denoiser, DDPM(), timeline, noise, pilot)

    return run


def write(known: Mapping[str, Any], folder: Path) -> Path:
    """Page and figure of all models that are known; returns the page."""
    lines = [
        "# What drawing costs, as it grows",
        "",
        "![The curves](growth.svg)",
        "",
        "Seconds are the median of the rounds. Guided in times of unguided, and growth in times of the first "
        "row, are medians of ratios within a round, least and most. All is done in float32 and with random "
        "weights; ffhq in channels_last, as with `channels_last=true`.",
    ]
    for model, found in known.items():
        rounds = len(next(iter(found["times"].values())))
        lines += ["", f"## {model}", "", f"`{found['command']}`, on {found['machine']}, {rounds} rounds."]
        for size, title in TITLES.items():
            chains = GROWTHS[model].chains(size)
            heads = [title, "unguided, s", "guided, s", "guided / unguided", "guided / first row"]
            lines += ["", *table(heads, [_row(chain, chains[0], size, found["times"]) for chain in chains])][
                :-1
            ]
        ratio = _spread(one_of_four(found["times"], GROWTHS[model].usual))
        lines += ["", f"One guided picture takes {ratio} of the time of four at a time."]
    draw(known, folder)
    return save_lines(folder / "growth.md", lines, next(iter(known.values()))["made"])


def _row(chain: Chain, first: Chain, size: str, times: Times) -> list[str]:
    own = {way: times[f"{chain}, {way}"] for way in WAYS}
    grown = relative(list(own[GUIDED]), list(times[f"{first}, {GUIDED}"]))
    seconds = [f"{median(own[way]):.3g}" for way in (UNGUIDED, GUIDED)]
    return [str(getattr(chain, size)), *seconds, _spread(guided_of(times, chain)), _spread(grown)]


def _spread(found: tuple[float, float, float]) -> str:
    middle, least, most = found
    return f"{middle:.2f} ({least:.2f} … {most:.2f})" if most > least else f"{middle:.2f}"


def draw(known: Mapping[str, Any], folder: Path) -> None:
    """A panel for each size; seconds on a logarithmic axis."""
    with canvas(folder, "growth", 9.5, 3.2) as figure:
        for axes, (size, title) in zip(figure.subplots(1, 3), TITLES.items(), strict=True):
            plain_axes(axes, title)
            axes.set(xscale="log", yscale="log", ylabel="seconds" if size == "pictures" else "")
            for color, (model, found) in zip(COLORS, known.items(), strict=False):
                chains = GROWTHS[model].chains(size)
                x = [getattr(chain, size) for chain in chains]
                for way, style in zip(WAYS, ("-", ":"), strict=True):
                    y = [median(found["times"][f"{chain}, {way}"]) for chain in chains]
                    axes.plot(x, y, style, color=color, marker="o", markersize=3.5, label=f"{model}, {way}")
            ticks = sorted({getattr(c, size) for model in known for c in GROWTHS[model].chains(size)})
            axes.set_xticks(ticks, [str(tick) for tick in ticks])
            axes.minorticks_off()
        axes.legend(frameon=False, fontsize=8)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("benchmark.growth", "Time chains as pictures, their size and steps grow. Resumable.")
    add = parser.add_argument
    add("--model", choices=list(GROWTHS), default="toyfaces", help="whose networks, with random weights")
    add("--rounds", type=int, default=5, help="times that each chain is timed, in turns")
    add_output(parser, "outputs/growth")
    add_report(parser, FOLDER, "table and figure")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
