"""How well faces follow their prompts: ``python -m experiments.text_alignment`` (see ``--help``).

Sweeps the guidance scale on ``sweep.jsonl``, chooses one, measures it on ``prompts.jsonl`` with another seed,
and writes the curve and the table. Finished samples are kept, so the command can be interrupted and rerun.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.command import add_output, add_report, add_settings, command, whole
from experiments.grid import Point, Study, choose, listed
from experiments.pages import head, protocols, table
from experiments.results import save_page
from experiments.running import invocation, launch
from experiments.text_alignment.figure import draw_curve
from experiments.text_alignment.prompts import HELD_OUT, TUNING
from sdg.metrics.measure import Measure
from sdg.metrics.run import table as told

FOLDER = Path(__file__).parent
METRICS = ["metrics=[toyfaces,fd_judge_guided]"]
COLUMNS = {
    "alignment/mentioned": ("mentioned right", ".2f"),
    "alignment/all": ("all right", ".2f"),
    "spread/all": ("spread", ".2f"),
    "fd_judge_guided": ("fd_judge_guided", ".2f"),
    "score/text": ("guide's score", ".2f"),
}


class Way(NamedTuple):
    """One strength of guidance."""

    prompts: str
    """Name of the file that they are of."""
    scale: float
    steps: int

    @property
    def name(self) -> str:
        return f"{self.prompts}_scale{self.scale:g}_steps{self.steps}"

    @property
    def told(self) -> list[str]:
        return [f"{self.scale:g}", str(self.steps)]

    @property
    def settings(self) -> list[str]:
        return [f"guidance.scale={self.scale}", f"sampler.steps={self.steps}"]


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    sweep = Study(options, METRICS, pool=TUNING, samples=options.sweep_samples, seed=1)
    held_out = Study(options, METRICS, samples=options.samples, seed=0)  # refuses before anything is drawn
    ways = [Way("sweep", s, n) for n in options.steps for s in sorted(set(options.scales))]
    points = sweep.all(ways)
    best = choose([point for point in points if point.way.steps == options.steps[0]]).way
    print(f"chosen: scale {best.scale:g}, which is now measured on prompts.jsonl", flush=True)
    final = held_out(best._replace(prompts="prompts"))

    draw_curve(points, final, options.report)
    page = lines(points, final, invocation("text_alignment", arguments))
    path = save_page(options.report / "results.md", page, __package__)
    print(f"{told(dict(final.report))}\nlook at {path} and curve.png beside it")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure how well faces follow their prompts, against the guidance scale. Resumable."
    parser = command("text_alignment", what)
    add = parser.add_argument
    add("--scales", nargs="+", type=float, default=[0, 25, 50, 100, 200, 400, 800], help="guidance scales")
    add("--steps", nargs="+", type=int, default=[50], help="sampling steps; the scale is chosen at the first")
    swept, final = whole("--sweep-samples", 2), whole("--samples", 2)
    add("--sweep-samples", type=swept, default=6, help="samples of each prompt of the sweep")
    add("--samples", type=final, default=16, help="samples of each prompt at the chosen scale")
    add_output(parser, "outputs/text_alignment")
    add_report(parser, FOLDER, "curve and the table")
    add_settings(parser, "sample", "evaluate")
    return parser.parse_args(arguments)


def lines(points: Sequence[Point[Way]], final: Point[Way], words: str) -> list[str]:
    """The sweep, and the measures at the chosen scale."""
    swept, measured = points[0].report["counts"], final.report["counts"]
    return [
        *head("Text alignment, measured", words),
        "![The curve](curve.png)",
        "",
        f"## The sweep: {swept['prompts']} prompts of `{TUNING.name}`, {swept['guided']} samples a scale",
        "",
        *listed(["scale", "steps"], points, COLUMNS),
        f"## Scale {final.way.scale:g}, {final.way.steps} steps: {measured['prompts']} prompts of "
        f"`{HELD_OUT.name}`, {measured['guided']} samples",
        "",
        *table(
            ["measure", "value, 95 % interval", "beside", "n"],
            [[name, _value(each), _beside(each), str(each.count)] for name, each in final.measures.items()],
        ),
        *protocols(final.report["protocols"]),
    ]


def _value(measure: Measure) -> str:
    low, high = measure.interval or (0.0, 0.0)
    return f"{measure.value:.3f}" + (f" ({low:.3f} … {high:.3f})" if high > low else "")


def _beside(measure: Measure) -> str:
    return f"{measure.beside[1]:.3f} {measure.beside[0]}" if measure.beside else ""


if __name__ == "__main__":
    launch(main)
