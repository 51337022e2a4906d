"""Every training runs from its experiment, and a resumed run ends with the weights of an undisturbed one."""

import csv
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from safetensors import safe_open

from sdg.checkpoints import read_state
from sdg.composition import CONF, ROOT
from sdg.errors import SDGError
from sdg.locks import locked_folder
from sdg.settings.typed import tidy
from sdg.training.judge import JudgeTraining
from sdg.training.run import train
from sdg.training.sample_grid import SampleGrid
from tests.tiny import TRAINING, configure, make_weights

EXPERIMENTS = ["toyfaces_prior", "toyfaces_clip_pretrain", "toyfaces_clip", "toyfaces_judge"]
EXTRA = {
    "toyfaces_prior": ["callbacks.figure.steps=2", "callbacks.figure.count=2"],
    "toyfaces_judge": ["judge.network.image_size=32", "+judge.network.channels=[8, 8]"],
}


@pytest.fixture(scope="module")
def clip_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_weights(tmp_path_factory.mktemp("weights"))[-2]


def run(
    experiment: str, folder: Path, steps: int, *overrides: str, toyfaces: bool = True
) -> dict[str, torch.Tensor]:
    """Train a tiny network, and what it exports; without toyfaces, ``overrides`` choose the data."""
    training = [word for word in TRAINING if toyfaces or not word.startswith("data.val_count")]
    own = [f"+experiment={experiment}", f"output_dir={folder}", f"trainer.max_steps={steps}"]
    config = configure("train", [*own, *training, *EXTRA.get(experiment, []), *overrides])
    train(config)
    return read_state(folder / f"{config.name}.safetensors")


class Killed(Exception):
    """Stands for SIGKILL in the middle of a step."""


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any training die in its step number ``step`` (from 0), before the optimiser moves."""
    original = torch.optim.AdamW.step
    done = 0

    def dying(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        nonlocal done
        if done == step:
            raise Killed
        done += 1
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", dying)


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in ("toyfaces_prior", "toyfaces_clip") else [])
        for name in EXPERIMENTS
    ],
)
def test_killed_and_resumed_equals_undisturbed(
    experiment: str, tmp_path: Path, clip_checkpoint: str, monkeypatch: pytest.MonkeyPatch
):
    whole = run(experiment, tmp_path / "whole", 4, clip_checkpoint)
    with monkeypatch.context() as patch:
        kill_at(3, patch)  # the newest checkpoint is that of step 2
        with pytest.raises(Killed):
            run(experiment, tmp_path / "killed", 4, clip_checkpoint)
    resumed = run(experiment, tmp_path / "killed", 4, clip_checkpoint)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_told_to_end_it_ends_with_its_step_and_goes_on_from_there(
    number: int, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The signal comes in the middle of the third step; a checkpoint would be due after the fourth."""
    original, steps = torch.optim.AdamW.step, []

    def told(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        steps.append(1)
        if len(steps) == 3:
            signal.raise_signal(number)
        return original(self, *args, **kwargs)

    whole = run("toyfaces_judge", tmp_path / "whole", 6)
    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", told)
        with pytest.raises(SystemExit) as ended:
            run("toyfaces_judge", tmp_path / "told", 6)
    assert ended.value.code == status
    assert len(steps) == 3
    assert torch.load(tmp_path / "told" / "checkpoints" / "last.ckpt")["global_step"] == 3
    resumed = run("toyfaces_judge", tmp_path / "told", 6)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_told_to_end_in_a_validation_it_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def validation_step(*_: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("it went on")

    monkeypatch.setattr(JudgeTraining, "validation_step", validation_step)
    with pytest.raises(SystemExit) as ended:
        run("toyfaces_judge", tmp_path / "run", 6)
    assert ended.value.code == 143


def test_a_second_run_on_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "run").mkdir()
    with locked_folder(tmp_path / "run"), pytest.raises(SDGError, match=r"/run is in use by process \d+ on "):
        run("toyfaces_judge", tmp_path / "run", 2)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("no_logger", ["logger=null", "~logger", "logger=none"])
def test_a_run_without_a_logger_logs_nothing(tmp_path: Path, no_logger: str):
    run("toyfaces_judge", tmp_path / "run", 2, *tidy("train", [no_logger], [CONF]))
    assert not (tmp_path / "run" / "logs").exists()


def test_a_run_leaves_weights_card_logs_and_figures(tmp_path: Path):
    run("toyfaces_prior", tmp_path / "run", 3)
    card = (tmp_path / "run" / "prior.md").read_text()
    assert "steps: 3 of 3" in card
    assert "train/loss" in card
    assert "- weights: an exponential average over the steps (decay 0.9995)" in card
    assert (
        "- optimisation: AdamW, learning rate 0.0005 after 200 steps of warm-up, then constant, betas 0.9 "
        "and 0.999, weight decay 0; gradients clipped, their norm at 1; precision 32-true"
    ) in card
    with safe_open(tmp_path / "run" / "prior.safetensors", "pt") as file:
        assert file.metadata()["weights"] == "an exponential average over the steps (decay 0.9995)"
    assert list((tmp_path / "run" / "figures").glob("samples_*.png"))
    assert "train/loss" in next((tmp_path / "run" / "logs").rglob("metrics.csv")).read_text()


def test_weights_of_the_last_step_are_there_though_its_validation_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = run("toyfaces_prior", tmp_path / "whole", 3)

    def killed(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SampleGrid, "on_validation_end", killed)
        with pytest.raises(Killed):
            run("toyfaces_prior", tmp_path / "killed", 3)
    resumed = run("toyfaces_prior", tmp_path / "killed", 3)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert "steps: 3 of 3" in (tmp_path / "killed" / "prior.md").read_text()


def test_a_training_of_no_steps_is_refused(tmp_path: Path):
    for steps in (0, -1):
        with pytest.raises(
            SDGError, match=rf"trainer.max_steps={steps} makes no sense: use a whole number fr"
        ):
            run("toyfaces_prior", tmp_path / "run", steps)
    assert not (tmp_path / "run").exists()


def test_fine_tuning_reads_no_captions_and_writes_the_retrieval_curve(tmp_path: Path, clip_checkpoint: str):
    run("toyfaces_clip", tmp_path / "run", 3, clip_checkpoint)
    figures = tmp_path / "run" / "figures"
    assert (figures / "retrieval.json").exists()
    assert list(figures.glob("retrieval_*.png"))
    card = (tmp_path / "run" / "time_clip.md").read_text()
    assert "- weights: those after the last step" in card
    assert not configure("train", ["+experiment=toyfaces_clip"]).data.captions


def test_a_run_without_checkpoints_leaves_weights_and_no_other_keeper(tmp_path: Path):
    run("toyfaces_judge", tmp_path / "run", 2, "~callbacks.checkpoint", "trainer.gradient_clip_val=null")
    assert "gradients not clipped" in (tmp_path / "run" / "judge.md").read_text()
    assert not list((tmp_path / "run").rglob("*.ckpt"))


@pytest.mark.slow
def test_a_finished_training_made_longer_is_the_longer_one_from_its_last_step_on(tmp_path: Path, capsys):
    """No checkpoint is otherwise due at these last steps; the first of them also has a validation."""
    whole = run("toyfaces_prior", tmp_path / "whole", 7)
    for steps in (3, 5, 7):
        longer = run("toyfaces_prior", tmp_path / "longer", steps)
        last = tmp_path / "longer" / "checkpoints" / "last.ckpt"
        assert torch.load(last)["global_step"] == steps
    assert capsys.readouterr().out.count(f"resuming from {last}") == 2
    assert all(torch.equal(whole[key], longer[key]) for key in whole)
    logged = (path.read_text() for path in (tmp_path / "longer" / "logs").glob("version_*/metrics.csv"))
    rows = [row for text in logged for row in csv.DictReader(text.splitlines()) if row["train/loss"]]
    assert sorted(int(row["step"]) for row in rows) == list(range(7))


@pytest.mark.parametrize("resume", ["true", "never"])
def test_an_unknown_way_to_resume_is_refused(tmp_path: Path, resume: str):
    with pytest.raises(SDGError, match="use auto to continue the run found in output_dir, or false"):
        run("toyfaces_judge", tmp_path / "run", 4, f"resume={resume}")
    assert not (tmp_path / "run").exists()


def test_another_configuration_is_refused_and_a_truncated_checkpoint_named(tmp_path: Path):
    run("toyfaces_judge", tmp_path / "run", 2)
    with pytest.raises(SDGError, match="other settings: choose another output_dir"):
        run("toyfaces_judge", tmp_path / "run", 4, "seed=5")
    with pytest.raises(SDGError, match="other settings: choose another output_dir"):
        run("toyfaces_judge", tmp_path / "run", 4, "trainer.accumulate_grad_batches=2")
    with pytest.raises(SDGError, match="already in use"):
        run("toyfaces_judge", tmp_path / "run", 4, "resume=false")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(SDGError, match="damaged: remove it"):
        run("toyfaces_judge", tmp_path / "run", 4)


@pytest.mark.slow
def test_a_truncated_checkpoint_costs_the_steps_since_the_one_before_and_nothing_else(tmp_path: Path, capsys):
    whole = run("toyfaces_prior", tmp_path / "whole", 6)
    run("toyfaces_prior", tmp_path / "broken", 4)
    last = tmp_path / "broken" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-1])
    resumed = run("toyfaces_prior", tmp_path / "broken", 6)
    output = capsys.readouterr().out
    assert f"warning: {last} is damaged" in output
    assert f"resuming from {last.with_name('previous.ckpt')}" in output
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_a_missing_teacher_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(Exception, match="no checkpoint at /nowhere"):
        run("toyfaces_clip", tmp_path / "run", 4, "encoder.clip_checkpoint=/nowhere.safetensors")
    assert not (tmp_path / "run").exists()


def test_every_experiment_file_is_global_and_names_its_command():
    for path in (ROOT / "conf" / "experiment").glob("*.yaml"):
        lines = path.read_text().splitlines()
        assert lines[0] == "# @package _global_", path.name
        assert f"+experiment={path.stem}" in "\n".join(lines[:4]), path.name
        assert OmegaConf.load(path)
