"""Learning rate, speed and waiting: what the clock says, and where it is logged."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sdg.training import pace
from sdg.training.pace import LoaderClock, Pace
from tests.training.test_runs import run

FETCH = "[_TrainingEpochLoop].train_dataloader_next"


class Module:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.logged: list[dict[str, float]] = [{}]

    def log(self, name: str, value: float) -> None:
        self.logged[-1][name] = value


def test_means_since_the_last_time_without_validations(monkeypatch: pytest.MonkeyPatch):
    now = 0.0
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now)
    clock, module = LoaderClock(), Module()
    callback, group = Pace(clock), {"lr": 0.0}
    trainer: Any = SimpleNamespace(
        global_step=4,
        max_steps=8,
        log_every_n_steps=2,
        world_size=2,
        optimizers=[SimpleNamespace(param_groups=[group])],
    )
    batch = {"image": torch.zeros(3, 1)}
    callback.on_train_start(trainer)
    for step in range(5, 8):
        with clock.profile("[Strategy]DDPStrategy.batch_to_device"):
            now += 0.5
        with clock.profile(FETCH):
            now += 0.25 * step
        group["lr"] = step / 100
        callback.on_train_batch_start(trainer)
        now += 1.0
        callback.on_train_batch_end(trainer, module, {}, batch, 0)  # type: ignore[arg-type]
        trainer.global_step = step
        callback.on_train_batch_end(trainer, module, {}, batch, 0)  # type: ignore[arg-type]
        if module.logged[-1]:
            module.logged.append({})
        callback.on_validation_start()
        now += 100.0
        callback.on_validation_end()
    # Of steps 5 and 6, two batches each, from two devices.
    seconds = 2 * 1.5 + 0.25 * (5 + 6)
    expected = {
        "train/lr": 0.06,
        "train/pictures_per_second": 24 / seconds,
        "train/waiting_for_data": 0.25 * 11 / seconds,
    }
    assert module.logged[0] == pytest.approx(expected)
    assert module.logged[1:] == [{}]


def test_every_row_has_them_and_the_card_the_last(tmp_path: Path):
    run("toyfaces_judge", tmp_path / "run", 4, "trainer.log_every_n_steps=2", "model.optimisation.warmup=4")
    with next((tmp_path / "run" / "logs").rglob("metrics.csv")).open() as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    assert [int(row["step"]) for row in rows] == [1, 3]
    assert [float(row["train/lr"]) for row in rows] == pytest.approx([0.001, 0.002])
    for row in rows:
        assert float(row["train/gradient_norm"]) > 0
        assert float(row["train/pictures_per_second"]) > 0
        assert 0 <= float(row["train/waiting_for_data"]) <= 1
    card = (tmp_path / "run" / "judge.md").read_text()
    assert "| train/pictures_per_second |" in card


def test_another_profiler_keeps_its_place(tmp_path: Path):
    run("toyfaces_judge", tmp_path / "run", 1, "+trainer.profiler=simple")
    header = next((tmp_path / "run" / "logs").rglob("metrics.csv")).read_text().splitlines()[0]
    assert "train/pictures_per_second" in header
    assert "train/waiting_for_data" not in header
