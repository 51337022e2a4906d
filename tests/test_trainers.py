"""What a process is, its trainer says: the variables of batch systems decide only for several processes."""

import os
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch.distributed as dist
from pytorch_lightning.utilities import rank_zero_only

from sdg import processes, stopping
from sdg.errors import SDGError
from sdg.processes import first_process
from sdg.trainers import make_trainer, wait_for_all

SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "3",
    "SLURM_NODEID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "4",
    "SLURM_JOB_ID": "1",
    "SLURM_JOB_NAME": "job",
    "SLURM_JOB_NODELIST": "localhost",
}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "RANK": "0",
    "LOCAL_RANK": "0",
    "GROUP_RANK": "0",
}
STRAY = {"RANK": "1", "LOCAL_RANK": "1", "NODE_RANK": "1", "GROUP_RANK": "1", "WORLD_SIZE": "4"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment without such variables; what the trainer has said is forgotten."""
    for name in {*SLURM, *TORCHRUN, *STRAY, stopping.FIRST}:
        monkeypatch.delenv(name, raising=False)
    rank = rank_zero_only.rank
    yield
    rank_zero_only.rank = rank
    processes.set_rank(0)
    stopping._state.quiet = False


def make(**settings: Any) -> pl.Trainer:
    own = {"accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False}
    off = {"enable_progress_bar": False, "enable_model_summary": False}
    return make_trainer(partial(pl.Trainer, **own | off | settings), "trainer=predict_ddp")


def setenv(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "environment", [SLURM, STRAY, {"RANK": "1"}, {"SLURM_NTASKS": "8"}, {**SLURM, **STRAY}]
)
def test_a_run_of_one_process_is_its_own_first(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    setenv(monkeypatch, environment)
    monkeypatch.setattr(rank_zero_only, "rank", 3)  # as Lightning has guessed when it was imported
    trainer = make()
    assert (trainer.world_size, trainer.global_rank, trainer.is_global_zero) == (1, 0, True)
    assert first_process()
    assert rank_zero_only.rank == 0


@pytest.mark.parametrize("environment", [{}, STRAY, {**SLURM, "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}])
def test_a_trainer_of_two_starts_the_second_whatever_stands_around(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    setenv(monkeypatch, environment)
    trainer = make(strategy="ddp", devices=2)
    assert (trainer.world_size, trainer.global_rank) == (2, 0)
    assert not trainer.strategy.cluster_environment.creates_processes_externally
    # So is the second, which knows by whom it was started.
    setenv(monkeypatch, {stopping.FIRST: str(os.getppid()), "LOCAL_RANK": "1", "NODE_RANK": "0"})
    trainer = make(strategy="ddp", devices=2)
    assert (trainer.world_size, trainer.global_rank) == (2, 1)
    assert trainer.strategy.cluster_environment.creates_processes_externally
    assert not first_process()


@pytest.mark.parametrize(
    "environment, devices, rank",
    [(TORCHRUN, 2, 0), ({**TORCHRUN, "RANK": "1", "LOCAL_RANK": "1"}, 2, 1), (SLURM, 4, 3)],
)
def test_processes_that_others_have_started_are_taken(
    environment: dict[str, str], devices: int, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    setenv(monkeypatch, environment)
    trainer = make(strategy="ddp", devices=devices)
    assert (trainer.world_size, trainer.global_rank) == (devices, rank)
    assert first_process() == (rank == 0)


@pytest.mark.parametrize("settings", [{}, {"strategy": "ddp", "devices": 3}])
def test_another_number_than_torchrun_has_started_is_refused(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    setenv(monkeypatch, TORCHRUN)
    told = rf"^torchrun has started 2 processes, and the trainer expects {settings.get('devices', 1)}: "
    with pytest.raises(SDGError, match=told + r"give trainer=predict_ddp trainer\.devices=N, where"):
        make(**settings)
    monkeypatch.setenv("RANK", "1")  # one line is enough
    with pytest.raises(SystemExit) as ended:
        make(**settings)
    assert ended.value.code == 1


def test_a_process_that_never_comes_to_the_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def closed() -> None:
        raise RuntimeError("Connection closed by peer")

    def completed() -> bool:
        asked.append(1)
        return len(asked) > 2

    work = SimpleNamespace(is_completed=completed, wait=closed)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "barrier", lambda async_op: work)
    with pytest.raises(SDGError, match="has died: give the same command again"):
        wait_for_all(SimpleNamespace(world_size=2))  # type: ignore[arg-type]
    assert len(asked) == 3  # in between, signals are answered
    wait_for_all(SimpleNamespace(world_size=1))  # type: ignore[arg-type]
