"""Faces are drawn again to see what they show, whatever the judge says of them."""

from pathlib import Path

import pytest
import torch

from sdg.data.toyfaces import ATTRIBUTES, SPLITS, sample_attributes, sample_nuisances
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import Judged, JudgeReader, scale_nuisances, unscale_nuisances
from sdg.metrics.mentions import Mentions
from sdg.metrics.redrawn import RedrawnAlignment, redrawn
from tests.metrics.examples import Known, LookupJudge, face, judged, pixels, record, write_mentions

SIZE = 64
EXPRESSION = list(ATTRIBUTES).index("expression")
INDEX = torch.arange(6) + SPLITS["test"].start


def misread(column: int) -> tuple[torch.Tensor, Judged, torch.Tensor]:
    """Six faces, what a judge reads who takes one attribute for its next value, and the truth."""
    truth, nuisances = sample_attributes(0, INDEX), sample_nuisances(0, INDEX)
    wrong = truth.clone()
    wrong[:, column] = (wrong[:, column] + 1) % len(list(ATTRIBUTES.values())[column])
    reading = judged([{}] * 6, wrong, scale_nuisances(nuisances))
    return pixels(truth, nuisances, SIZE), reading, truth


@pytest.mark.parametrize("column", range(len(ATTRIBUTES)), ids=list(ATTRIBUTES))
def test_what_the_judge_misreads_is_read_off_the_pixels(column: int) -> None:
    pictures, reading, truth = misread(column)
    asked = torch.zeros(6, 8, dtype=torch.bool)
    asked[:3, column] = True
    found = redrawn(pictures, reading, asked)
    assert found[:3].equal(truth[:3])
    assert found[3:].equal(reading.attributes[3:])  # not asked for: the judge's


def test_of_half_a_smile_the_larger_half_is_told() -> None:
    """Four parts of six of one mouth and two of another, while the rest of the picture is another face's."""
    smile, frown = (pixels(*face(0, expression=which), SIZE).float() for which in ("smiling", "frowning"))
    mixed = torch.cat([(2 * smile + frown) / 3, (smile + 2 * frown) / 3]).round().to(torch.uint8)
    mixed[:, :, :8] = 255 - mixed[:, :, :8]
    attributes, nuisances = face(0, expression="smiling")
    reading = judged([{}] * 2, attributes.expand(2, -1), scale_nuisances(nuisances).expand(2, -1))
    found = redrawn(mixed, reading, torch.ones(2, 8, dtype=torch.bool))[:, EXPRESSION]
    assert [ATTRIBUTES["expression"][value] for value in found.tolist()] == ["smiling", "frowning"]


def test_nuisances_are_unscaled() -> None:
    nuisances = sample_nuisances(0, INDEX)
    assert unscale_nuisances(scale_nuisances(nuisances)).numpy() == pytest.approx(nuisances.numpy(), abs=1e-5)
    ends = unscale_nuisances(torch.full((1, 11), 3.0))
    assert scale_nuisances(ends).numpy() == pytest.approx(1, abs=1e-5)


def test_rates_are_those_of_the_pixels(tmp_path: Path) -> None:
    """The judge takes every face for the smiling one it knows; two of four frown, and so do both unguided."""
    smiling, frowning = face(0, expression="smiling"), face(0, expression="frowning")
    drawn = torch.cat([pixels(*each, SIZE) for each in (smiling, frowning, frowning, smiling)] + [
        pixels(*frowning, SIZE)] * 2)  # fmt: skip
    prompts = {"a smile": {"expression": "smiling"}, "a frown": {"expression": "frowning"}}
    records = [record(prompt, i) for prompt in prompts for i in range(2)] + [record(None, i) for i in (1, 0)]
    reader = JudgeReader(LookupJudgeOf64(*smiling), SIZE, batch_size=3)
    mentions = Mentions(write_mentions(tmp_path / "m.jsonl", prompts))
    found = {m.name: m for m in RedrawnAlignment()(Evidence(Known(records, drawn), mentions, lambda: reader))}
    assert found["mentioned"].value == 0.5
    assert found["expression"].beside == ("unguided", 0.5)
    assert found["all_of_1"].count == 4


class LookupJudgeOf64(LookupJudge):
    def __init__(self, attributes: torch.Tensor, nuisances: torch.Tensor):
        super().__init__(attributes, nuisances)
        self.memory = pixels(attributes, nuisances, SIZE).float().flatten(1)
