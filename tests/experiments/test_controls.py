"""The experiment on controls, figures and costs: their commands on tiny networks."""

from pathlib import Path

import pytest
import torch

from experiments.controls import __main__ as controls
from experiments.controls import sweep
from experiments.cost import __main__ as cost
from experiments.figures import __main__ as figures
from sdg.checkpoints import save_weights
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.networks.judge import Judge
from tests.tiny import make_weights


def judge() -> Judge:
    torch.manual_seed(0)
    return Judge({k: len(v) for k, v in ATTRIBUTES.items()}, len(NUISANCES), image_size=32, features=16)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*make_weights(tmp_path_factory.mktemp("weights")), "trainer.accelerator=cpu", "group=2"]


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> list[str]:
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    save_weights(path, judge())
    settings = [f"judge.checkpoint='{path}'", "judge.network.image_size=32", "+judge.network.features=16"]
    return [*settings, *(word for word in tiny if word.startswith("encoder."))]


@pytest.mark.slow
def test_one_command_draws_and_measures_every_control(
    tiny: list[str], judging: list[str], tmp_path: Path
) -> None:
    options = ["--samplers", "ddpm", "--steps", "2", "--targets", "2", "--samples", "2", "--shares", "0", "1"]
    # The random encoder of this test gives large style gradients.
    scales = ["--scales", "style=1e-9"]
    folders = ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]
    controls.main([*options, *scales, *folders, "--sample", *tiny, "--evaluate", *judging])
    text = (tmp_path / "report" / "results.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        *("## Text", "## Content", "## Structure", "## Style"),
        *("## Words and a picture that disagree", "## Protocols"),
    ]
    assert text.count("| ddpm | 2 |") == 4
    assert "`python -m experiments.controls --samplers ddpm" in text
    assert (tmp_path / "report" / "blend.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_scales_and_stages_are_swept_in_one_table_for_each_control(
    tiny: list[str], judging: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "SCALES", {"structure": (1, 2), "style": (1e-9,)})
    monkeypatch.setattr(sweep, "STAGES", dict(list(sweep.STAGES.items())[:2]))
    options = ["--steps", "2", "--targets", "2", "--samples", "2"]
    folders = ["--output", str(tmp_path / "output"), "--report", str(tmp_path)]
    sweep.main([*options, *folders, "--sample", *tiny, "--evaluate", *judging])
    lines = (tmp_path / "sweep.md").read_text().splitlines()
    cells = [line.split(" | ")[:2] for line in lines if line.startswith("| layer")]
    first, second = sweep.STAGES
    assert cells == [["| " + stages, scale] for stages in (first, second) for scale in ("1", "2")]
    assert any(line.startswith("| all | 1e-09 | ") for line in lines)


@pytest.mark.slow
def test_figures_hold_a_row_for_each_target(tiny: list[str], tmp_path: Path) -> None:
    folders = ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]
    figures.main(["weights", "mix", *folders, "--sample", "sampler.steps=2", *tiny])
    shown = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert shown == ["mix.png", "weights.png"]
    assert len(list((tmp_path / "output" / "mix" / "samples").glob("*.png"))) == 4 + 2 * 3 * 4


@pytest.mark.slow
def test_costs_are_ratios_to_the_unguided_step(tmp_path: Path) -> None:
    cost.main(["--rounds", "1", "--steps", "1", "--batch", "1", "--report", str(tmp_path)])
    rows = [line for line in (tmp_path / "results.md").read_text().splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].strip("| ") for row in rows[1:]] == list(cost.CONTROLS)
    assert rows[1].split(" | ")[2:4] == ["1.00", "1.00 (1.00 … 1.00) |"]
