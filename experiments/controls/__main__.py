"""Every control under every sampler, by the held-out judge: ``python -m experiments.controls`` (see
``--help``).

Draws towards prompts, towards faces nobody was trained on (content, structure) and towards five painted
styles, then lets words and a picture disagree while the weight moves from one to the other. Finished
samples are kept, so it can be killed and repeated at will.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from experiments.controls.blend import draw_blend, measure_blend
from experiments.controls.study import PROMPTS, measure
from experiments.controls.table import write_table
from experiments.running import invocation, launch, load_judge, machine
from sdg.data.toyfaces.__main__ import write_references
from sdg.data.toyfaces.styles import STYLES

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    options.references = options.output / "references"
    write_references(options.references, options.targets)
    options.faces = [f"face_{i:03d}.png" for i in range(options.targets)]
    options.styles = [f"style_{name}.png" for name in STYLES]
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    options.prompts = [json.loads(line)["prompt"] for line in lines[:: max(1, len(lines) // options.targets)]]
    options.prompts = options.prompts[: options.targets]

    judge = load_judge()
    grid = [(c, s, n) for c in options.controls for s in options.samplers for n in options.steps]
    rows = []
    for number, (control, sampler, steps) in enumerate(grid, start=1):
        print(f"{number} of {len(grid)}: {control}, {sampler}, {steps} steps", flush=True)
        rows.append(measure(options, control, sampler, steps, judge))
    points = [measure_blend(options, share, judge) for share in options.shares]

    options.report.mkdir(parents=True, exist_ok=True)
    draw_blend(points, options.report)
    command = invocation("controls", arguments)
    write_table(rows, points, options, command, machine())
    print(f"look at {options.report / 'results.md'} and blend.png beside it")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.controls",
        description="Measure text, content, structure and style guidance under every sampler. Resumable.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    controls, samplers = ["text", "content", "structure", "style"], ["ddpm", "ddim", "dpmpp_2m"]
    add("--controls", nargs="+", choices=controls, default=controls, help="what guides")
    add("--samplers", nargs="+", choices=samplers, default=samplers, help="what steps")
    add("--steps", nargs="+", type=int, default=[20, 50, 100], help="sampling steps")
    add("--targets", type=int, default=12, help="prompts, and reference faces")
    add("--samples", type=int, default=6, help="samples of each")
    add(
        "--shares",
        nargs="+",
        type=float,
        default=[0, 0.25, 0.5, 0.75, 1],
        help="of words against the picture",
    )
    add("--scales", nargs="*", type=_scale, default={}, action=_Scales, metavar="CONTROL[/SAMPLER]=S",
        help="guidance scales other than the configured ones")  # fmt: skip
    add("--seed", type=int, default=2, help="of the samples")
    add("--output", type=Path, default=Path("outputs/controls"), help="folder of the samples")
    add("--report", type=Path, default=FOLDER, help="folder of the curve and the table")
    add("--sample", nargs="+", default=[], metavar="KEY=VALUE", help="more settings of sample.py")
    return parser.parse_args(arguments)


def _scale(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


class _Scales(argparse.Action):
    """Pairs to a dictionary."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        setattr(namespace, self.dest, dict(values))


if __name__ == "__main__":
    launch(main)
