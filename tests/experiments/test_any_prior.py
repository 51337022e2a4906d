"""One encoder, any prior: which priors are compared, and the command on tiny networks."""

from pathlib import Path

import pytest

from experiments.any_prior import __main__ as experiment
from sdg.errors import SDGError
from tests.experiments.test_few_steps import tiny


def test_the_shipped_prior_comes_first_and_trained_ones_last(tmp_path: Path) -> None:
    weights = tmp_path / "flow.safetensors"
    weights.write_bytes(b"")
    first, *others = experiment.ways(experiment.parse(["--flow", str(weights)]))
    assert first.settings[-1] == "sampler/spacing=log_snr"
    assert [way.settings[-1] for way in others[:2]] == ["sampler/schedule=flow", "sampler/schedule=exploding"]
    assert others[-1].settings[-2:] == ["prior=toyfaces_flow", f"prior.checkpoint='{weights}'"]
    assert len(others) == 5


@pytest.mark.parametrize("arguments, message", [
    (["--edm", "nowhere.safetensors"], r"no file at nowhere\.safetensors: train it"),
    (["--parts", "5"], "24 prompts cannot be dealt to 5 parts"),
    (["--samples", "1"], "use --samples from 2"),
])  # fmt: skip
def test_a_mistake_is_told_and_nothing_drawn(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SDGError, match=message):
        experiment.main([*arguments, "--output", str(tmp_path / "output")])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_one_command_draws_judges_and_reports(tmp_path: Path) -> None:
    sizes = ["--prompts", "2", "--parts", "1", "--samples", "2", "--steps", "2"]
    experiment.main(tiny(tmp_path, *sizes))
    text = (tmp_path / "report" / "results.md").read_text()
    rows = [line for line in text.splitlines() if line.endswith("|")][2:]
    assert len(rows) == len(experiment.PRIORS)
    assert rows[0].endswith("| +0.0 |")
