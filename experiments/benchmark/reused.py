"""What saving does to pictures: ``python -m experiments.benchmark.reused``.

Draws held-out prompts in several ways from the same noises, some beside their difference, grey where there
is none, from the way that they save on. ``reused.png``: 20 steps, with inner blocks used again.
``short.png``: the short chains of ``equal.md``, beside 20 steps.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops, ImageStat

import sdg
from experiments.benchmark.chains import PAIR, PAPER
from experiments.benchmark.equal import WAYS
from experiments.command import add_report, command
from experiments.running import launch, some
from experiments.text_alignment.prompts import HELD_OUT
from sdg.report.grid import draw_grid

FOLDER = Path(__file__).parent


class Column(NamedTuple):
    """A way to draw, and the name of the one that it is compared with."""

    settings: Sequence[str]
    base: str | None = None


class Page(NamedTuple):
    """Columns by name, each followed by its difference if it has one, and how :func:`draw_grid` sets them."""

    columns: Mapping[str, Column]
    lead: int
    group: int


def _again(*settings: str) -> Column:
    return Column([PAPER, "sampler=balanced", *settings], "plain" if settings else None)


def _timed(name: str, base: str | None = None) -> Column:
    return Column(next(way.settings for way in WAYS if way.name == name), base)


PAGES = {
    "reused": Page(
        {
            "plain": _again(),
            "reuse 2": _again("sampler.reuse=2"),
            "reuse 3": _again("sampler.reuse=3"),
            "auto": _again("sampler.reuse=auto"),
            "2, two blocks": _again("sampler.reuse=2", "sampler.reuse_blocks=2"),
        },
        lead=1,
        group=2,
    ),
    "short": Page(
        {
            "20 steps": _timed("20 steps"),
            "12 steps": _timed("12 steps where they are of use"),
            "12, all": _timed("12 steps, all", "12 steps"),
            "10 steps": _timed("10 steps where they are of use"),
            "10, quick": _timed("10 steps, quick", "10 steps"),
        },
        lead=1,
        group=3,
    ),
}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    studio, prompts = sdg.load(PAIR), some(HELD_OUT, options.prompts)
    for name in options.pages:
        page = PAGES[name]
        shown = _shown(studio, prompts, page.columns)
        rows = [(prompt, [column[i] for column in shown.values()]) for i, prompt in enumerate(prompts)]
        file = options.report / f"{name}.png"
        draw_grid(rows, [*shown], group=page.group, lead=page.lead).save(file)
        print(f"look at {file}")


def _shown(
    studio: sdg.Studio, prompts: Sequence[str], columns: Mapping[str, Column]
) -> dict[str, list[Image.Image]]:
    """Pictures and differences by the titles of their columns; a picture of each prompt, by its own noise."""
    shown = dict[str, list[Image.Image]]()
    for name, (settings, base) in columns.items():
        drawn = (studio.draw(prompt, *settings, seed=i) for i, prompt in enumerate(prompts))
        shown[name] = [pictures[0].image for pictures in drawn]
        if base is not None:
            pairs = [*zip(shown[name], shown[base], strict=True)]
            shown[f"{name} - {base}"] = [ImageChops.subtract(a, b, scale=2, offset=128) for a, b in pairs]
            apart = [sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) / 3 for a, b in pairs]
            print(f"{name}: {sum(apart) / len(apart):.1f} of 255 from {base}, in the mean", flush=True)
    return shown


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("benchmark.reused", "Pictures of chains that save, side by side.")
    add = parser.add_argument
    add("--pages", nargs="+", choices=list(PAGES), default=list(PAGES), help="which to draw")
    add("--prompts", type=int, default=8, help="of the held-out prompts")
    add_report(parser, FOLDER, "pictures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
