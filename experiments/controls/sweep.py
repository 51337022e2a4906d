"""Which scales, and which stages for structure: ``python -m experiments.controls.sweep`` (see ``--help``).

Draws towards the same references at several settings and writes ``sweep.md``, from which the defaults in
conf/guidance were chosen. Finished samples are kept.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_seed, add_settings, command
from experiments.controls.study import Row, measure, take_aim
from experiments.controls.table import PROTOCOL
from experiments.pages import head, protocols, table
from experiments.results import save_page
from experiments.running import invocation, launch, load_judge

FOLDER = Path(__file__).parent
STAGES = {
    "layer1 + layer2": "{layer1: 1.0, layer2: 1.0, layer3: 0.0}",
    "layer2 + layer3": "{layer1: 0.0, layer2: 1.0, layer3: 1.0}",
    "layer3": "{layer1: 0.0, layer2: 0.0, layer3: 1.0}",
    "layer3 + layer4": "{layer1: 0.0, layer2: 0.0, layer3: 1.0, layer4: 1.0}",
}
"""Candidate sets of stages for structure, in the syntax of conf/guidance/structure.yaml."""
SCALES = {"content": (100, 200, 400, 800), "structure": (200, 400, 800), "style": (5e-5, 1e-4, 2e-4)}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    take_aim(options)
    judge, lines = load_judge(), []
    for control, scales in SCALES.items():
        rows = []
        for stages, words in (STAGES if control == "structure" else {"": ""}).items():
            for scale in scales:
                print(f"{control}, scale {scale:g} {stages}", flush=True)
                one = argparse.Namespace(**vars(options))
                one.output = options.output / f"{stages or 'all'}_{scale:g}".replace(" + ", "_")
                one.scales = {control: scale}
                one.sample = [
                    *options.sample,
                    *([f"guidance.terms.structure.stages={words}"] if words else []),
                ]
                rows.append((stages, scale, measure(one, control, options.sampler, options.steps, judge)))
        lines += section(control, rows)
    what = (
        f"{options.targets} references (5 for style), {options.samples} samples of each, {options.steps} "
        f"steps of {options.sampler}; [95 % interval over references]; in brackets the unguided samples of "
        "the same noise."
    )
    protocol = {name: words for name, words in PROTOCOL.items() if "right" not in name}
    lines = [
        *head("What scales and stages do", invocation("controls.sweep", arguments), what),
        *lines,
        *protocols(protocol),
    ]
    print(f"look at {save_page(options.report / 'sweep.md', lines, __package__)}")


def section(control: str, rows: Sequence[tuple[str, float, Row]]) -> list[str]:
    """The table of one control."""
    staged = bool(rows[0][0])
    heads = [*(["stages"] if staged else []), "scale", *rows[0][2].values]
    cells = [
        [*([stages] if staged else []), f"{scale:g}", *map(str, row.values.values())]
        for stages, scale, row in rows
    ]
    return [f"## {control.capitalize()}", "", *table(heads, cells)]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure content, structure and style at several scales and stages. Resumable."
    parser = command("controls.sweep", what)
    add = parser.add_argument
    add("--sampler", default="ddpm", help="what steps")
    add("--steps", type=int, default=25, help="sampling steps")
    add("--targets", type=int, default=6, help="reference faces")
    add("--samples", type=int, default=4, help="samples of each")
    add_seed(parser, 3)
    add_output(parser, "outputs/controls_sweep")
    add_report(parser, FOLDER, "table")
    add_settings(parser, "sample")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
