"""A contrastive training that ends worse than a guess says so in its last line."""

import math
from pathlib import Path

import pytest
import torch

from sdg.training.contrast import LATEST, Contrast
from tests.tiny import make_weights
from tests.training.test_runs import run


@pytest.mark.parametrize("of_chance", [1.0, 2.0])
def test_chance_is_the_logarithm_of_the_batch(of_chance: float):
    chance = of_chance * math.log(24)
    for loss, bad in ((chance - 0.01, False), (chance + 0.01, True)):
        contrast = Contrast(of_chance)
        for value in [99.0] * LATEST + [loss] * LATEST:  # as it was in the beginning does not count
            contrast.note(torch.tensor(value), 24)
        assert bool(contrast.verdict()) == bad
    assert Contrast(of_chance).verdict() == ""


def test_the_last_line_of_a_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    weights = make_weights(tmp_path / "weights")[-2]
    run("toyfaces_clip", tmp_path / "run", 3, weights, "model.optimisation.lr=1.0")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("finished: weights, card, figures and logs are in")
    assert "worse than a guess: the contrastive loss ends at" in last
    assert f"chance is {2 * math.log(4):.3g}. Train again with a lower model.optimisation.lr" in last
