"""What looks torn: a picture is held against the face that the judge reads in it."""

from pathlib import Path

import pytest
import torch

from experiments.matched import SOUND, Redrawn
from sdg.data.toyfaces import ATTRIBUTES
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import JudgeReader
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import open_samples
from tests.metrics.examples import SIZE, LookupJudge, face, pixels, record, write_mentions, write_run


def test_a_torn_picture_is_like_no_face_and_has_nothing_right(tmp_path: Path) -> None:
    """The judge knows one face, which has what is asked for, and reads it in the torn picture, too."""
    attributes, nuisances = face(0)
    drawn = pixels(attributes, nuisances)[0]
    hat = ATTRIBUTES["hat"][attributes[0, list(ATTRIBUTES).index("hat")]]
    torn = (drawn.long() + 80) % 256
    samples = [(record(None, 0), drawn), (record(None, 1), drawn)]
    samples += [(record("a face", 0), drawn), (record("a face", 1), torn.to(torch.uint8))]
    mentions = write_mentions(tmp_path / "mentions.jsonl", {"a face": {"hat": hat}})
    judge = JudgeReader(LookupJudge(attributes, nuisances), SIZE)
    run = open_samples(write_run(tmp_path / "run", samples))
    away, right = Redrawn()(Evidence(run, Mentions(mentions), lambda: judge))
    exact = (torn - drawn).double().square().mean().sqrt().item()
    assert exact > SOUND
    assert away.value == pytest.approx(exact / 2, abs=0.5)  # the other differs by its rounding alone
    assert away.beside == ("unguided", pytest.approx(0, abs=0.5))
    assert (right.name, right.value, right.beside) == ("right", 0.5, ("unguided", 1.0))
