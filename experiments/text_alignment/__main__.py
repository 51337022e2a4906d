"""How well faces follow their prompts: ``python -m experiments.text_alignment`` (see ``--help``).

Sweeps the guidance scale on ``sweep.jsonl``, chooses one, measures it on ``prompts.jsonl`` with another seed,
and writes the curve and the table. Finished samples are kept, so the command can be interrupted and rerun.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_settings, command
from experiments.running import configuration, draw, invocation, launch, machine
from experiments.text_alignment.figure import draw_curve
from experiments.text_alignment.point import Point, choose
from experiments.text_alignment.table import write_table
from sdg.metrics.run import evaluate, table

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    grid = [(scale, steps) for steps in options.steps for scale in sorted(set(options.scales))]
    points = []
    for number, (scale, steps) in enumerate(grid, start=1):
        print(f"sweep {number} of {len(grid)}: scale {scale:g}, {steps} steps", flush=True)
        points.append(measure(options, "sweep", scale, steps, options.sweep_samples, seed=1))
    best = choose([point for point in points if point.steps == options.steps[0]])
    print(f"chosen: scale {best.scale:g}, which is now measured on prompts.jsonl", flush=True)
    final = measure(options, "prompts", best.scale, best.steps, options.samples, seed=0)

    options.report.mkdir(parents=True, exist_ok=True)
    draw_curve(points, final, options.report)
    write_table(points, final, options.report, invocation("text_alignment", arguments), machine())
    print(f"{table(final.report)}\nlook at {options.report / 'results.md'} and curve.png beside it")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure how well faces follow their prompts, against the guidance scale. Resumable."
    parser = command("text_alignment", what)
    add = parser.add_argument
    add("--scales", nargs="+", type=float, default=[0, 25, 50, 100, 200, 400, 800], help="guidance scales")
    add("--steps", nargs="+", type=int, default=[50], help="sampling steps; the scale is chosen at the first")
    add("--sweep-samples", type=int, default=6, help="samples of each prompt of the sweep")
    add("--samples", type=int, default=16, help="samples of each prompt at the chosen scale")
    add_output(parser, "outputs/text_alignment")
    add_report(parser, FOLDER, "curve and the table")
    add_settings(parser, "sample", "evaluate")
    return parser.parse_args(arguments)


def measure(
    options: argparse.Namespace, prompts: str, scale: float, steps: int, samples: int, seed: int
) -> Point:
    """Draw and evaluate one run, in a folder named after its settings."""
    folder = options.output / f"{prompts}_scale{scale:g}_steps{steps}"
    file = FOLDER / f"{prompts}.jsonl"
    drawn = [f"prompts_file='{file}'", f"samples_per_prompt={samples}", f"seed={seed}", "batch_size=32"]
    drawn += [f"guidance.scale={scale}", f"sampler.steps={steps}"]
    judged = [f"samples='{folder}'", f"mentions='{file}'", "metrics=[toyfaces,fd_judge_guided]"]
    draw(folder, drawn + options.sample)
    return Point(scale, steps, evaluate(configuration("evaluate", judged + options.evaluate)).whole().report)


if __name__ == "__main__":
    launch(main)
