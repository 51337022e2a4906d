"""Settings of how a training is computed: devices that cannot work together, accumulation, compilation."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sdg.errors import SDGError
from sdg.training.run import train
from tests.tiny import TRAINING, configure
from tests.training.test_runs import Killed, kill_at, run

TWO = ["trainer=ddp", "trainer.devices=2", *TRAINING]


@pytest.mark.parametrize(
    "overrides, complaint",
    [
        (
            ["hydra.mode=MULTIRUN", "+experiment=toyfaces_prior"],
            r"a sweep \(-m\) cannot start several",
        ),
        (["trainer.sync_batchnorm=true", "+experiment=toyfaces_prior"], "use model.batchnorm=synchronised"),
        (["+experiment=toyfaces_stylegan"], "trains on one device"),
    ],
)
def test_devices_that_cannot_train_together_are_refused(tmp_path: Path, overrides: list[str], complaint: str):
    overrides = [word.replace("trainer.sync", "+trainer.sync") for word in overrides]
    with pytest.raises(SDGError, match=complaint):
        train(configure("train", [*TWO, *overrides, f"output_dir={tmp_path}/run"]))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_accumulation_counts_optimiser_steps_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three steps of two batches each; killed in the third, whose first batch is drawn again."""
    twice = ["trainer.accumulate_grad_batches=2", "trainer.val_check_interval=6"]
    whole = run("toyfaces_prior", tmp_path / "whole", 3, *twice)
    with monkeypatch.context() as patch:
        kill_at(2, patch)
        with pytest.raises(Killed):
            run("toyfaces_prior", tmp_path / "killed", 3, *twice)
    resumed = run("toyfaces_prior", tmp_path / "killed", 3, *twice)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    single = run("toyfaces_prior", tmp_path / "single", 3)
    assert any(not torch.equal(whole[key], single[key]) for key in whole)
    checkpoint = torch.load(tmp_path / "whole" / "checkpoints" / "last.ckpt")
    assert checkpoint["state_dict"]["average.n_averaged"] == checkpoint["global_step"] == 3


def test_compiling_changes_neither_names_nor_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the compiler's front end alone: its C++ back end takes minutes."""
    compiled: list[nn.Module] = []
    original = nn.Module.compile

    def front_end(module: nn.Module) -> None:
        compiled.append(module)
        original(module, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", front_end)
    plain = run("toyfaces_judge", tmp_path / "plain", 2)
    fast = run("toyfaces_judge", tmp_path / "fast", 2, "compile=true")
    assert [type(module).__name__ for module in compiled] == ["Judge"]
    assert plain.keys() == fast.keys()
    for key, value in plain.items():
        torch.testing.assert_close(fast[key], value)
    states = [
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt")["state_dict"] for name in ("plain", "fast")
    ]
    assert states[0].keys() == states[1].keys()
