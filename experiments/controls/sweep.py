"""Which scales, and which stages for structure: ``python -m experiments.controls.sweep`` (see ``--help``).

Draws towards the same references at several settings and writes ``sweep.md``, from which the defaults in
conf/guidance were chosen. Finished samples are kept.
"""

import argparse
from collections.abc import Sequence

from experiments.command import study_command
from experiments.controls.ways import COLUMNS, studies
from experiments.grid import Way, listed
from experiments.pages import head, protocols
from experiments.results import save_page
from experiments.running import launch

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
    what = (
        f"{options.targets} references (5 for style), {options.samples} samples of each, {options.steps} "
        f"steps of {options.sampler}; unguided: the samples of the same noise."
    )
    lines, told, all_studies = head("What scales and stages do", options.command, what), {}, studies(options)
    for control, scales in SCALES.items():
        found = STAGES if control == "structure" else {"all": ""}
        ways = [way(options, control, scale, *each) for each in found.items() for scale in scales]
        points = all_studies[control].all(ways)
        lines += [f"## {control.capitalize()}", ""]
        lines += listed(["stages", "scale"], points, COLUMNS[control], beside=True)
        told |= points[0].report["protocols"]
    print(f"look at {save_page(options.report / 'sweep.md', [*lines, *protocols(told)], __package__)}")


def way(options: argparse.Namespace, control: str, scale: float, stages: str, words: str) -> Way:
    """One scale and set of stages; without words, the configured ones."""
    settings = [f"guidance={control}", f"sampler={options.sampler}", f"sampler.steps={options.steps}"]
    settings += [f"guidance.scale={scale}"]
    settings += [f"guidance.terms.structure.stages={words}"] if words else []
    return Way(f"{control}_{stages.replace(' + ', '_')}_{scale:g}", settings, (stages, f"{scale:g}"))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure content, structure and style at several scales and stages. Resumable."
    parser = study_command("controls.sweep", what, arguments, targets=6, samples=4, seed=3)
    parser.add_argument("--sampler", default="ddpm", help="what steps")
    parser.add_argument("--steps", type=int, default=25, help="sampling steps")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
