"""What W&B, TensorBoard and CSV are told: read back from the files that the real packages wrote."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wandb.proto.wandb_internal_pb2 import Record

from sdg import processes
from sdg.report.loggers import code_version, wandb_logger
from sdg.training.run import train
from tests.tiny import TRAINING, configure

BLOCK = 32768


def records(path: Path) -> Iterator[Record]:
    """The records of a run's ``.wandb`` file: LevelDB's log format after a header of seven bytes."""
    data, place, parts = path.read_bytes(), 7, b""
    while place < len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def history(path: Path) -> list[dict]:
    rows = [record.history for record in records(path) if record.HasField("history")]
    return [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item}
        for row in rows
    ]


def config(path: Path) -> dict:
    updates = [record.config.update for record in records(path) if record.HasField("config")]
    return {item.key: json.loads(item.value_json) for items in updates for item in items}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_RUN_ID", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.mark.filterwarnings("default")  # wandb's own
@pytest.mark.slow
def test_wandb_offline_holds_curves_figures_settings_and_resumes_into_its_run(
    tmp_path: Path, offline: None, capsys
):
    figure = ["callbacks.figure.steps=2", "callbacks.figure.count=2"]
    for steps in (3, 6):
        time.sleep(1.1)  # W&B names a run's folder by the second in which it began
        own = [f"output_dir={tmp_path}/run", f"trainer.max_steps={steps}", "logger=[csv,wandb]"]
        train(configure("train", ["+experiment=toyfaces_prior", *own, *TRAINING, *figure]))
    assert f"wandb sync {tmp_path}/run/wandb/offline-run-*" in capsys.readouterr().out
    folder = tmp_path / "run" / "wandb"
    run_id = (folder / "run_id").read_text()
    starts = sorted(folder.glob(f"offline-run-*-{run_id}"))
    assert len(starts) == 2
    assert len(list(folder.glob("offline-run-*"))) == 2
    for start, expected in zip(starts, ([0, 1, 2], [3, 4, 5]), strict=True):
        rows = history(start / f"run-{run_id}.wandb")
        steps = [row["trainer/global_step"] for row in rows if "train/loss" in row]
        assert steps == expected
        assert any("val/loss" in row for row in rows)
        assert any("samples/filenames" in row for row in rows)
        assert list((start / "files" / "media" / "images").glob("samples_*.png"))
        run = next(record.run for record in records(start / f"run-{run_id}.wandb") if record.HasField("run"))
        assert (run.project, run.display_name, run.run_id) == ("sdg", "prior", run_id)
        settings = config(start / f"run-{run_id}.wandb")
        assert settings["code"] == code_version()
        assert settings["data"]["batch_size"] == 4
        assert settings["logger"]["wandb"]["name"] == "prior"  # interpolations are resolved
    assert len(list((tmp_path / "run" / "logs").glob("version_*/metrics.csv"))) == 2


def test_a_sweeps_agent_chooses_the_run_and_other_ranks_have_none(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch
):
    first = wandb_logger("sdg", "a", str(tmp_path / "one"))
    assert first._id == (tmp_path / "one" / "wandb" / "run_id").read_text()
    assert wandb_logger("sdg", "a", str(tmp_path / "one"))._id == first._id
    assert wandb_logger("sdg", "a", str(tmp_path / "two"))._id != first._id
    monkeypatch.setenv("WANDB_RUN_ID", "fromagent")
    assert wandb_logger("sdg", "a", str(tmp_path / "three"))._id == "fromagent"
    monkeypatch.setattr(processes._state, "rank", 1)
    wandb_logger("sdg", "a", str(tmp_path / "four"))
    assert not (tmp_path / "four").exists()


@pytest.mark.parametrize(
    "choice, names", [("[csv,wandb]", ["csv", "wandb"]), ("trackio", ["trackio"]), ("none", [])]
)
def test_any_number_of_loggers(choice: str, names: list[str]):
    assert list(configure("train", [f"logger={choice}"]).logger) == names
