"""The measures of the experiment on controls, and its commands on tiny networks."""

from pathlib import Path

import pytest
import torch

from experiments.controls import __main__ as controls
from experiments.controls import measures, study, sweep
from experiments.cost import __main__ as cost
from experiments.figures import __main__ as figures
from sdg.checkpoints import save_weights
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES, SPLITS, faces
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.units import Units
from sdg.networks.judge import Judge
from tests.tiny import make_weights


def judge() -> Judge:
    torch.manual_seed(0)
    return Judge({k: len(v) for k, v in ATTRIBUTES.items()}, len(NUISANCES), image_size=32, features=16)


def pictures(count: int) -> torch.Tensor:
    drawn, _ = faces(0, torch.arange(count) + SPLITS["test"].start, 32)
    return ((drawn + 1) * 127.5).round().to(torch.uint8)


def test_a_palette_is_where_the_colours_are_and_nothing_else() -> None:
    own = pictures(2)
    shuffled = own.flatten(2)[:, :, torch.randperm(32 * 32)].view_as(own)
    assert torch.equal(measures.palette(own), measures.palette(shuffled))
    half = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    half[:, 0, :2] = 255
    black = torch.zeros_like(half)
    distance = measures.palette_distance(measures.palette(half), measures.palette(black))
    torch.testing.assert_close(distance, torch.tensor([0.5], dtype=torch.float64))


def test_textures_tell_a_picture_from_its_shuffled_pixels() -> None:
    reader, own = JudgeReader(judge(), 32), pictures(2)
    shuffled = own.flatten(2)[:, :, torch.randperm(32 * 32)].view_as(own)
    wanted = measures.textures(own, reader)
    assert [gram.shape[1] for gram in wanted] == [24, 24, 48, 48, 96, 96, 128, 128]
    assert torch.equal(measures.texture_distance(wanted, wanted), torch.zeros(2, dtype=torch.float64))
    assert (measures.texture_distance(measures.textures(shuffled, reader), wanted) > 0.01).all()


def test_samples_are_compared_with_what_they_aimed_at() -> None:
    nuisances = torch.zeros(3, len(NUISANCES))
    nuisances[1, list(NUISANCES).index("tilt")] = 0.8
    nuisances[2, list(NUISANCES).index("gaze")] = 0.7
    attributes = torch.zeros(3, 8, dtype=torch.int64)
    attributes[1, :2] = 1
    records = [
        {"seed": 0, "index": 4, "scale": 0.0, "reference": None},
        {"seed": 0, "index": 4, "scale": 9.0, "reference": "folder/a.png"},
        {"seed": 0, "index": 4, "scale": 9.0, "reference": "b.png"},
    ]
    judged = Judged(attributes, nuisances, torch.zeros(3, 1), records)
    assert measures.pairs(judged) == ([1, 2], [0, 0], ["a.png", "b.png"])
    kept = measures.kept_attributes(judged, [1, 2], attributes[[0, 0]])
    assert kept.tolist() == [0.75, 1.0]
    pose, rest = measures.nuisance_distances(judged, [1, 2], nuisances[[0, 0]])
    assert pose.tolist() == pytest.approx([0.2, 0.0])
    assert rest.tolist() == pytest.approx([0.0, 0.1])


def test_a_mean_has_an_interval_over_targets_not_samples() -> None:
    values = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    targets = Units({"target": ["a", "a", "a", "b", "b", "b"], "noise": [0, 1, 2] * 2})
    found = study._estimate([values, 1 - values], targets)
    assert (found.guided, found.unguided) == (0.5, 0.5)
    assert found.interval is not None
    assert found.interval[1] - found.interval[0] > 2  # two targets are next to nothing
    alone = Units({"target": ["a"], "noise": [0]})
    assert str(study._estimate([values[:1], values[:1]], alone)) == "0.000 (0.000)"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*make_weights(tmp_path_factory.mktemp("weights")), "trainer.accelerator=cpu", "group=2"]


@pytest.mark.slow
def test_one_command_draws_and_measures_every_control(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(tmp_path / "judge.safetensors", judge())
    settings = [f"judge.checkpoint='{tmp_path / 'judge.safetensors'}'", "judge.network.image_size=32"]
    settings.append("+judge.network.features=16")
    load = controls.load_judge
    monkeypatch.setattr(controls, "load_judge", lambda: load(settings))
    options = ["--samplers", "ddpm", "--steps", "2", "--targets", "2", "--samples", "1", "--shares", "0", "1"]
    # The random encoder of this test gives large style gradients.
    scales = ["--scales", "style=1e-9"]
    folders = ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]
    controls.main([*options, *scales, *folders, "--sample", *tiny])
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
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "load_judge", lambda: JudgeReader(judge(), 32))
    monkeypatch.setattr(sweep, "SCALES", {"structure": (1, 2), "style": (1e-9,)})
    monkeypatch.setattr(sweep, "STAGES", dict(list(sweep.STAGES.items())[:2]))
    options = ["--steps", "2", "--targets", "1", "--samples", "1"]
    folders = ["--output", str(tmp_path / "output"), "--report", str(tmp_path)]
    sweep.main([*options, *folders, "--sample", *tiny])
    lines = (tmp_path / "sweep.md").read_text().splitlines()
    cells = [line.split(" | ")[:2] for line in lines if line.startswith("| layer")]
    first, second = sweep.STAGES
    assert cells == [["| " + stages, scale] for stages in (first, second) for scale in ("1", "2")]
    assert any(line.startswith("| 1e-09 | ") for line in lines)


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
