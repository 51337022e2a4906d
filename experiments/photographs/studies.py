"""What is drawn and measured: a study for each kind of target, the prior alone, and the controls."""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.grid import Point, Study
from experiments.parts import arrange, gathered, swapped
from experiments.photographs.heldout import common, write_photographs
from experiments.photographs.ways import DIVERSITY, Control, Kind, Way
from experiments.running import configuration, draw, some
from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.metrics.run import build_extractor, evaluate

PROMPTS = Path(__file__).parent / "prompts.jsonl"
TUNING = PROMPTS.with_name("tuning.jsonl")
"""Other words, for what no result is measured on."""
NETWORKS = ("prior=faces64", "encoder=faces64")
STYLE = "stlpips_alex"
WIDTH = 128
"""Of the judge's features: a Fréchet distance takes more pictures than that."""
OURS = "experiments.photographs.measures"
KEPT = (
    f"+metrics.kept={{_target_: {OURS}.Kept}}",
    "+metrics.layout={_target_: experiments.references.Pixels, factor: 4}",
)
SUBSET = 50
"""Pictures in a subset of the kernel distance, whose size does not change what is estimated."""


class Size(NamedTuple):
    """How much is drawn."""

    prompts: int
    references: int
    pairs: int
    """Prompts, each with a reference."""
    parts: int
    """Runs of each way, with noises of their own; they divide the numbers above."""
    samples: int
    """Of each target."""
    alone: int
    """Samples of the prior alone; 0: this is for tuning, with prompts and photographs of its own."""
    heldout: int
    """Photographs that samples are held against."""


SIZES = {
    "strengths": Size(6, 6, 6, parts=3, samples=2, alone=0, heldout=300),
    "quick": Size(12, 8, 4, parts=4, samples=2, alone=40, heldout=300),
    "full": Size(39, 26, 13, parts=13, samples=4, alone=600, heldout=1000),
}


class Studies:
    """The studies of one command.

    Args:
        options: of the command line; ``sample`` and ``evaluate`` get the networks and the judge.
    """

    def __init__(self, options: argparse.Namespace, size: Size):
        self.options, self.size = options, size
        held_out = write_photographs(options, "validate on", size.heldout, options.output)
        self.folder = Path(held_out[0]).parent
        options.evaluate += [word for word in options.sample if word.startswith("encoder")]
        options.evaluate += [common(self.folder, options.evaluate), f"reference='{self.folder}'"]
        self.diverse = [DIVERSITY, *([STYLE] if self._at_hand(STYLE) else [])]
        half, tuning = len(held_out) // 2, size.alone == 0
        self.prompts = TUNING if tuning else PROMPTS
        self.references = held_out[:half] if tuning else held_out[half:]

    def study(self, kind: Kind) -> Study:
        """The study of a kind of target."""
        size = self.size
        if kind == "prompts":
            return self._study(["alignment"], self._gaps(), prompts=some(self.prompts, size.prompts))
        if kind == "references":
            return self._study([], KEPT, references=self._spaced(size.references))
        prompts, references = some(self.prompts, size.pairs), self._spaced(size.pairs)
        return self._study(["alignment"], KEPT, prompts=prompts, references=references)

    def shuffled(self, study: Study, point: Point[Way]) -> Point[Way]:
        """The pictures of a way, each said to have been drawn towards another of the prompts."""
        prompts = list(study.aims["prompts"])
        random.Random(0).shuffle(prompts)
        control = point.way.control._replace(title="the same, prompts shuffled", knobs=())
        folder, config = study.output / "shuffled", point.folder / "config.yaml"
        arrange(folder, swapped(gathered([point.folder]), prompts), control.title, config)
        return study.measured(point.way._replace(name="shuffled", control=control), folder)

    def alone(self) -> Point[Way]:
        """The prior without guidance, from noises of its own."""
        options = self.options
        words = [*options.sample, "method=unguided", "batch_size=32", f"seed={options.seed + 10**6}"]
        folder = draw(options.output / "alone", [*words, f"samples_per_prompt={self.size.alone}"])
        return self._compared("the prior alone", folder, [f"+metrics.shares={{_target_: {OURS}.Shares}}"])

    def photographs(self) -> Point[Way]:
        """As many of the photographs that were trained on: what a perfect prior would reach."""
        paths = write_photographs(self.options, "train on", self.size.alone, self.options.output)
        return self._compared("photographs", Path(paths[0]).parent, [])

    def _compared(self, title: str, folder: Path, more: Sequence[str]) -> Point[Way]:
        own = [self._metrics(["fd_judge_reference"] if self.size.alone > WIDTH else []), *more]
        own.append(self._subset(self.size.alone))
        measured = self.options.output / "measured" / folder.name
        words = [f"samples='{folder}'", f"output_dir='{measured}'", *own, *self.options.evaluate]
        found = evaluate(configuration("evaluate", words)).whole()
        way = Way(folder.name, Control(title, "prompts", (), DIVERSITY, knobs=()), 1.0, ())
        return Point(way, found.measures, found.report, folder)

    def _study(self, metrics: Sequence[str], more: Sequence[str], **aims: Sequence[str]) -> Study:
        size = self.size
        pictures = size.samples * min(map(len, aims.values()))
        own = [self._metrics(metrics), self._subset(pictures), *more]
        return Study(self.options, own, self.prompts, aims, parts=size.parts, samples=size.samples)

    def _subset(self, pictures: int) -> str:
        return f"metrics.kd_judge.subset_size={min(SUBSET, pictures, self.size.heldout)}"

    def _metrics(self, more: Sequence[str]) -> str:
        return f"metrics=[{','.join([*self.diverse, 'kd_judge', *more])}]"

    def _gaps(self) -> list[str]:
        """How much better each guide finds its prompts than the judge does."""
        least = len(read_prompts(self.prompts))
        made = "_target_: sdg.metrics.retrieve.AdversarialGap, held_out: judge_answers"
        return [
            f"+metrics.gap_{guide}={{{made}, guide: {guide}, pool: '{self.prompts}', least: {least}}}"
            for guide in ("guide", "clip_guide")
        ]

    def _spaced(self, count: int) -> list[str]:
        if len(self.references) < count:
            raise SDGError(
                f"{len(self.references)} photographs are held out, which are too few to aim at: give more of "
                "them, --train data.validation_share=0.2"
            )
        return self.references[:: len(self.references) // count][:count]

    def _at_hand(self, features: str) -> bool:
        try:
            build_extractor(configuration("evaluate", self.options.evaluate).features[features])
        except SDGError as error:
            print(f"{features} is left out: {error}")
            return False
        return True
