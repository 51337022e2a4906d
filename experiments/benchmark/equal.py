"""Seconds to a picture of equal quality: ``python -m experiments.benchmark.equal`` (see ``--help``).

Times whole chains of ours and of others on the same weights, in turns within one process, beside what the
judge says of their pictures. With ``--draw``, those are drawn and judged first, which takes hours and can be
interrupted; otherwise ``equal.json`` says what was found. Writes ``equal.md``.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from experiments.benchmark.chains import PAIR, PAPER, chains
from experiments.benchmark.report import relative
from experiments.command import add_output, add_report, add_settings, add_sizes, command
from experiments.grid import Study, Way
from experiments.matched import DISTANCE
from experiments.pages import head, table
from experiments.racing import Run, race
from experiments.results import save_page
from experiments.running import invocation, launch
from sdg.errors import SDGError
from sdg.files import write_whole

FOLDER = Path(__file__).parent
METRICS = ["metrics=[alignment,drift]", DISTANCE]
MEASURES = {
    "alignment/mentioned": ("mentioned right", 1),
    "drift/all": ("drift", -1),
    "distance": ("distance", -1),
}
"""What is measured, its name, and whether more or less of it is better."""
LATE = ["guidance.every=3", "guidance.every_from=0.6"]
PLAIN, EXACT, FEW = "side_by_side=false", "sampler=ddpm", "sampler=dpmpp_2m_sde"
ENDS = ["sampler/spacing=adm", "sampler.spacing.first=900", "sampler.spacing.last=40"]
TWELVE, AUTO = [FEW, "sampler.steps=12", *ENDS], "sampler.reuse=auto"
TEN, QUICK = "sampler=quick", ["side_by_side=true", "channels_last=true"]


def guided(name: str, *settings: str) -> Way:
    return Way(name, [PAPER, *settings])


WAYS = [
    guided("100 steps", EXACT, PLAIN),
    guided("100 steps, side by side", EXACT, "side_by_side=true"),
    guided("100 steps, reuse 2", EXACT, PLAIN, "sampler.reuse=2"),
    guided("100 steps, encoder rarer", EXACT, PLAIN, *LATE),
    guided("20 steps", FEW, PLAIN),
    guided("20 steps, reuse 2", FEW, PLAIN, "sampler.reuse=2"),
    guided("20 steps, reuse 2, encoder rarer", FEW, PLAIN, "sampler.reuse=2", *LATE),
    guided("12 steps where they are of use", *TWELVE, PLAIN),
    guided("12 steps, auto", *TWELVE, PLAIN, AUTO),
    guided("12 steps, all", *TWELVE, AUTO, *QUICK),
    guided("10 steps where they are of use", TEN, PLAIN),
    guided("10 steps, quick", TEN, *QUICK),
]
"""The first is the yardstick; each of the others leaves out something of it."""
FREE = [
    Way("unguided, 100 steps", ["method=unguided", EXACT]),
    Way("unguided, 20 steps", ["method=unguided", FEW]),
]

Quality = Mapping[str, Mapping[str, Sequence[float]]]
"""Way -> measure -> value and the ends of its 95 % interval."""
Times = Mapping[str, Sequence[float]]
"""Chain -> its seconds, round by round."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    options.sample = [PAIR, *options.sample]
    if min(options.rounds, options.short_rounds, *options.pictures) < 1:
        raise SDGError("there is nothing to time: use --rounds, --short-rounds and --pictures from 1")
    file = options.report / "equal.json"
    if options.draw:
        draw(options, file)
    quality: Quality = json.loads(file.read_text("utf-8")) if file.exists() else {}
    torch.set_flush_denormal(True)  # as in sample.py
    times = {n: timed(options, n) for n in options.pictures}
    lines = [
        *head("Seconds to equal quality", invocation("benchmark.equal", arguments)),
        *page(quality, times),
    ]
    print(f"look at {save_page(options.report / 'equal.md', lines, __package__)}")


def timed(options: argparse.Namespace, pictures: int) -> list[Times]:
    """Seconds of the long chains, and of the short ones, which take less and are timed more often."""
    runs, free = chains([*WAYS, *FREE], pictures, options.sample), FREE[1].name
    rounds = {"times": options.rounds, "short": options.short_rounds}
    parts: dict[str, dict[str, Run]] = {"times": {}, "short": {free: runs[free]}}
    for name, run in runs.items():
        parts["times" if name == free or "100 steps" in name else "short"][name] = run
    return [
        race(part, options.output / f"{name}_{pictures}.json", rounds[name], free)
        for name, part in parts.items()
    ]


def draw(options: argparse.Namespace, file: Path) -> None:
    """Draw and judge every way that is asked for, keeping what is known of the others."""
    study = Study(options, METRICS)
    asked = [way for way in WAYS if way.name in options.draw or "all" in options.draw]
    for way in asked:
        point = study(way)
        known = json.loads(file.read_text("utf-8")) if file.exists() else {}
        known[way.name] = {name: [point.value(name), *point.ends(name)] for name in MEASURES}
        known[way.name]["pictures"] = [point.report["counts"]["guided"]] * 3
        write_whole(file, json.dumps(known, indent=1) + "\n")


def page(quality: Quality, times: Mapping[int, Sequence[Times]]) -> list[str]:
    """The table, and what it takes to be of equal quality.

    Args:
        times: by pictures at a time, those of each race; the first has the yardstick, all have the base.
    """
    first, free = WAYS[0], FREE[1]
    rows = []
    for name in dict.fromkeys(name for part in next(iter(times.values())) for name in part):
        cells = [name]
        for parts in times.values():
            own = next(part for part in reversed(parts) if name in part)
            cells.append(f"{statistics.median(own[name]):.2f}")
            if first.name in own:
                cells.append(_spread(relative(own[name], own[first.name])))
            else:
                across = relative(parts[0][free.name], parts[0][first.name])[0]
                cells.append(f"{across * relative(own[name], own[free.name])[0]:.2f}")
            cells.append(_spread(relative(own[name], own[free.name])))
        found = quality.get(name)
        cells += [_value(found, measure) for measure in MEASURES]
        cells.append(
            "–" if found is None or first.name not in quality else _verdict(found, quality[first.name])
        )
        rows.append(cells)
    heads = ["chain"]
    for n in times:
        heads += [f"{n}: seconds", f"of {first.name}", f"of {free.name}"]
    heads += [*(name for name, _ in MEASURES.values()), "equal"]
    drawn = sorted({f"{found['pictures'][0]:.0f}" for found in quality.values()})
    judged = f"Quality is of {' or '.join(drawn)} pictures of held-out prompts. " if drawn else ""
    return [
        "Seconds are of whole chains of so many pictures at a time, ratios within a round: the median of the "
        "rounds, least and most. Chains of 20 steps or fewer are timed in rounds of their own, and compared "
        f"with *{first.name}* by way of *{free.name}*. {judged}*Equal* means that none of the three lies "
        f"outside of the 95 % interval of *{first.name}* on the worse side; without it, nothing is said. "
        "A dash: not drawn yet, or nothing to draw, as those pictures are unguided or another row's but for "
        "rounding.",
        "",
        *table(heads, rows),
    ]


def _spread(found: tuple[float, float, float]) -> str:
    middle, least, most = found
    return f"{middle:.2f} ({least:.2f} … {most:.2f})" if most > least else f"{middle:.2f}"


def _value(found: Mapping[str, Sequence[float]] | None, name: str) -> str:
    if found is None:
        return "–"
    value, low, high = found[name]
    return f"{value:.3g} ({low:.3g} … {high:.3g})"


def _verdict(found: Mapping[str, Sequence[float]], plain: Mapping[str, Sequence[float]]) -> str:
    worse = [
        words
        for name, (words, sign) in MEASURES.items()
        if sign * found[name][0] < min(sign * end for end in plain[name][1:])
    ]
    return f"no: {', '.join(worse)}" if worse else "yes"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("benchmark.equal", "Time whole chains beside the quality of their pictures. Resumable.")
    add = parser.add_argument
    words = "draw and judge these ways first (names as in the table), or all of them"
    add("--draw", nargs="*", default=[], metavar="WAY", help=words)
    add("--pictures", nargs="+", type=int, default=[1, 4], help="pictures at a time that are timed")
    add("--rounds", type=int, default=3, help="times that each chain of 100 steps is timed, in turns")
    add("--short-rounds", type=int, default=7, help="times that each of the others is timed, in turns")
    add_sizes(parser, prompts=48, samples=8, parts=6, seed=27)
    add_output(parser, "outputs/equal")
    add_report(parser, FOLDER, "table and what was measured")
    add_settings(parser, "sample", "evaluate")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
