"""A training whose numbers are no longer finite says so in one line, and keeps nothing of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from sdg.errors import SDGError
from sdg.training.export import Export
from sdg.training.finite import Finite
from sdg.training.judge import JudgeTraining
from tests.training.test_runs import run

NAN = float("nan")


def spoil(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the judge's loss NaN from its step number ``step`` (from 1) on."""
    original = JudgeTraining.training_step

    def spoiled(self: JudgeTraining, batch: dict, batch_idx: int) -> torch.Tensor:
        return original(self, batch, batch_idx) * (NAN if batch["step"] + 1 >= step else 1)

    monkeypatch.setattr(JudgeTraining, "training_step", spoiled)


def test_it_stops_at_the_step_and_keeps_the_state_and_the_weights_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = run("toyfaces_judge", tmp_path / "whole", 6, "callbacks.export.every=2")
    with monkeypatch.context() as patch:
        spoil(5, patch)
        with pytest.raises(SDGError) as caught:
            run("toyfaces_judge", tmp_path / "run", 6, "callbacks.export.every=2")
    message = str(caught.value)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert "its loss is not finite from step 5 of 6 on" in message
    assert f"the last good state is {last} of step 4" in message
    assert "\n" not in message
    assert "lower model.optimisation.lr" in message
    assert torch.load(last)["global_step"] == 4
    assert "steps: 4 of 6" in (tmp_path / "run" / "judge.md").read_text()
    resumed = run("toyfaces_judge", tmp_path / "run", 6, "callbacks.export.every=2")
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


@pytest.mark.parametrize("overrides", [["model.optimisation.lr=1e12"], ["trainer.precision=16-true"]])
def test_what_diverges_at_once_leaves_neither_weights_nor_a_checkpoint(tmp_path: Path, overrides: list[str]):
    with pytest.raises(SDGError, match=r"not finite from step [12] of 3 on; no checkpoint was due before"):
        run("toyfaces_judge", tmp_path / "run", 3, *overrides)
    assert not (tmp_path / "run" / "judge.safetensors").exists()
    assert not list((tmp_path / "run").rglob("*.ckpt"))


class Model(nn.Module):
    """A weight, a statistic that a checkpoint holds and a mask that none does."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), 1e30))  # whose square is not finite
        self.register_buffer("mean", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("mask", torch.full((2,), -torch.inf), persistent=False)


def watched(model: Model, losses: list[float], change: Any = lambda model, step: None) -> None:
    """What Lightning does with the callback where a device should not wait: look at the end."""
    trainer: Any = SimpleNamespace(
        max_steps=9, callbacks=[], log_every_n_steps=100, precision="bf16-mixed", global_step=0
    )
    callback = Finite()
    callback.on_train_start(trainer, model)  # type: ignore[arg-type]
    callback.check = lambda trainer: None  # type: ignore[method-assign]
    for loss in losses:
        trainer.global_step += 1
        change(model, trainer.global_step)
        callback.on_train_batch_end(trainer, model, {"loss": torch.tensor(loss)})  # type: ignore[arg-type]
    del callback.check
    callback.on_train_end(trainer, model)  # type: ignore[arg-type]


def test_large_numbers_and_infinite_masks_are_no_reason():
    watched(Model(), [1e30, -1e30, 0.0])


@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf")])
def test_the_step_that_is_named_is_the_first(value: float):
    with pytest.raises(SDGError, match=r"its loss is not finite from step 2 of 9 on.*precision=32-true"):
        watched(Model(), [1.0, value, 1.0, value])


@pytest.mark.parametrize("name", ["weight", "mean"])
def test_a_single_weight_or_statistic_is_enough(name: str):
    def change(model: Model, step: int) -> None:
        if step == 3:
            model.state_dict()[name][1] = NAN

    with pytest.raises(SDGError, match="its weights are not finite from step 3 of 9 on"):
        watched(Model(), [1.0] * 4, change)


def test_an_export_asks_first(tmp_path: Path):
    """Where a device is not asked at every step."""
    asked: Any = Finite()
    asked._first = torch.tensor([3, -1])
    trainer: Any = SimpleNamespace(callbacks=[asked], max_steps=9, precision="32-true", is_global_zero=True)
    with pytest.raises(SDGError, match="not finite from step 3 of 9"):
        Export(str(tmp_path / "w.safetensors")).on_train_end(trainer, JudgeTraining.__new__(JudgeTraining))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", [1, 2, 3])
def test_where_no_device_would_wait_it_looks_after_every_step(step: int):
    """And there are counters among a model's numbers, which are always finite."""
    model = Model()
    model.register_buffer("count", torch.zeros(1, dtype=torch.int64))
    trainer: Any = SimpleNamespace(
        max_steps=9, callbacks=[], log_every_n_steps=100, precision="32-true", global_step=step
    )
    callback = Finite()
    callback.on_train_start(trainer, model)  # type: ignore[arg-type]
    with pytest.raises(SDGError, match=f"its loss is not finite from step {step} of 9 on"):
        callback.on_train_batch_end(trainer, model, {"loss": torch.tensor(NAN)})  # type: ignore[arg-type]
