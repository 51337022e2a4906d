"""What reuse does to pictures: ``python -m experiments.benchmark.reused``.

Draws held-out prompts in 20 steps, whole and with inner blocks used again, and writes ``reused.png``: the
plain picture, then each way's, and its difference from the plain one, which is grey where there is none.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

import sdg
from experiments.command import add_report, command
from experiments.running import launch, some
from experiments.text_alignment.prompts import HELD_OUT
from sdg.report.grid import draw_grid

FOLDER = Path(__file__).parent
WAYS: Mapping[str, Mapping[str, int | str]] = {
    "reuse 2": {"reuse": 2},
    "reuse 3": {"reuse": 3},
    "auto": {"reuse": "auto"},
    "2, two blocks": {"reuse": 2, "reuse_blocks": 2},
}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    studio, prompts = sdg.load(), some(HELD_OUT, options.prompts)
    plain = _drawn(studio, prompts, {})
    columns = {"plain": plain}
    for name, settings in WAYS.items():
        columns[name] = _drawn(studio, prompts, settings)
        pairs = [*zip(columns[name], plain, strict=True)]
        columns[f"{name} - plain"] = [ImageChops.subtract(a, b, scale=2, offset=128) for a, b in pairs]
        apart = [sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) / 3 for a, b in pairs]
        print(f"{name}: {sum(apart) / len(apart):.1f} of 255 from the plain ones, in the mean")
    rows = [(prompt, [column[i] for column in columns.values()]) for i, prompt in enumerate(prompts)]
    file = options.report / "reused.png"
    draw_grid(rows, [*columns], group=2, lead=1).save(file)
    print(f"look at {file}")


def _drawn(
    studio: sdg.Studio, prompts: Sequence[str], settings: Mapping[str, int | str]
) -> list[Image.Image]:
    """A picture of each prompt, by a noise of its own."""
    chosen = {"sampler": "balanced", **{f"sampler.{key}": value for key, value in settings.items()}}
    drawn = (
        studio.draw(prompt, seed=i, n=1, unguided=False, **chosen)  # type: ignore[arg-type]
        for i, prompt in enumerate(prompts)
    )
    return [pictures[0].image for pictures in drawn]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("benchmark.reused", "Pictures with and without inner blocks used again, side by side.")
    parser.add_argument("--prompts", type=int, default=8, help="of the held-out prompts")
    add_report(parser, FOLDER, "picture")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
