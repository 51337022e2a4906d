"""The closed-form probe: what it fits, and the command on tiny networks."""

from pathlib import Path

import pytest
import torch

from experiments.spectral import __main__ as experiment
from sdg.errors import SDGError
from tests.tiny import make_weights


def test_what_is_linear_in_the_features_is_fitted_to_the_digit() -> None:
    generator = torch.Generator().manual_seed(0)
    features, slope = torch.randn(50, 3, generator=generator), torch.randn(3, 2, generator=generator)
    table = experiment.fit(features, features @ slope + 2)
    torch.testing.assert_close(table, torch.cat([slope, torch.full((1, 2), 2.0)]), rtol=5e-3, atol=5e-3)


@pytest.mark.slow
def test_both_ways_are_asked_at_every_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "LEVELS", (0, 900))
    weights = make_weights(tmp_path)
    sizes = ["--train", "12", "--count", "2", "--report", str(tmp_path / "report")]
    experiment.main([*sizes, "--sample", *weights])
    rows = [line for line in (tmp_path / "report" / "results.md").read_text().splitlines() if "| " in line]
    assert [row.split(" | ")[0] for row in rows if "0." in row] == ["| as they are", "| fitted"]


def test_too_little_to_fit_is_told() -> None:
    with pytest.raises(SDGError, match="use --train and --count from 2"):
        experiment.main(["--train", "1"])
