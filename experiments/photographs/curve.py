"""How far the samples of a prior in training are from photographs, step by step."""

import argparse
import json
from pathlib import Path

from experiments.pages import head, table
from experiments.photographs.heldout import write_photographs
from experiments.plotting import ACCENT, FAINT, canvas, plain_axes
from experiments.results import save_page
from experiments.running import configuration, draw
from sdg.files import write_whole
from sdg.metrics.run import evaluate

MEASURES = {"fd_judge_reference": "Fréchet distance", "kd_judge": "kernel distance"}
FEW = ("sampler=dpmpp_2m_sde", "sampler.steps=20")
HELD_OUT = 1000


class Curve:
    """Measures a prior after each turn of its training; ``prior.md``, ``prior.png`` and ``curve.json``.

    Args:
        options: of ``train``.
        weights: of the prior, as its training exports them.
    """

    def __init__(self, options: argparse.Namespace, weights: Path):
        self.options, self.weights = options, weights
        self.folder = weights.parent / "curve"
        self.file = self.folder / "curve.json"
        self.points: dict[str, dict] = json.loads(self.file.read_text("utf-8")) if self.file.is_file() else {}

    def measure(self, step: int) -> None:
        """Draw with the weights of a step, measure, and draw the curve anew."""
        options, own = self.options, self.folder / f"{step:06d}"
        held_out = write_photographs(options, "validate on", HELD_OUT, self.folder)
        words = ["prior=faces64", f"prior.checkpoint='{self.weights}'", *FEW, "method=unguided"]
        words += [f"samples_per_prompt={options.count}", "batch_size=32", "trace=false"]
        draw(own, [*words, *(word for word in options.train if word.startswith("prior."))])
        found = evaluate(
            configuration(
                "evaluate",
                [
                    *("judge=faceapi", f"judge.folder='{options.folder}'", f"samples='{own}'"),
                    f"reference='{Path(held_out[0]).parent}'",
                    *(
                        f"metrics=[{','.join(MEASURES)}]",
                        f"metrics.kd_judge.subset_size={min(100, options.count, len(held_out))}",
                    ),
                ],
            )
        ).whole()
        self.points[str(step)] = {
            name: [found.measures[name].value, *(found.measures[name].interval or ())] for name in MEASURES
        }
        write_whole(self.file, json.dumps(self.points, indent=1) + "\n")
        self._show(found.report["protocols"])

    def _show(self, protocols: dict[str, str]) -> None:
        folder = self.options.report
        steps = sorted(map(int, self.points))
        with canvas(folder, "prior", 8, 3.2) as figure:
            for axes, (name, title) in zip(figure.subplots(1, 2), MEASURES.items(), strict=True):
                lines = [self.points[str(step)][name] for step in steps]
                axes.plot(steps, [line[0] for line in lines], color=ACCENT, marker="o", markersize=4)
                ends = [line[1:] or line[:1] * 2 for line in lines]
                axes.vlines(steps, [low for low, _ in ends], [high for _, high in ends], color=FAINT)
                axes.set(xlabel="steps", ylim=(0, None))
                plain_axes(axes, title)
        rows = [[f"{step:,}", *(_told(self.points[str(step)][name]) for name in MEASURES)] for step in steps]
        what = (
            f"{self.options.count} samples of each, 20 steps of dpmpp_2m_sde; the photographs are held out."
        )
        lines = [
            *head("How far the prior's samples are from photographs", self.options.command, what),
            *("![The curve](prior.png)", ""),
            *table(["steps", *MEASURES.values()], rows),
            *(f"- {words}." for words in protocols.values()),
        ]
        save_page(folder / "prior.md", lines, __package__)


def _told(numbers: list[float]) -> str:
    value, *ends = numbers
    return f"{value:.4f}" + (f" ({ends[0]:.4f} … {ends[1]:.4f})" if ends else "")
