"""train.py with two processes without a GPU: the same training as with one, also after a change."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sdg.composition import ROOT
from tests.tiny import TRAINING, make_weights

COMMON = [*TRAINING, "+experiment=toyfaces_clip", "model.batchnorm=synchronised"]
TWO = ["trainer=ddp", "trainer.devices=2"]


def start(folder: Path, *overrides: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *COMMON, f"output_dir={folder}", *overrides],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *overrides: str) -> str:
    process = start(folder, *overrides)
    output, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    return output


def losses(folder: Path) -> dict[int, float]:
    """Training losses by step, of all the starts of a run."""
    found = {}
    for path in sorted((folder / "logs").glob("version_*/metrics.csv")):
        with path.open() as file:
            rows = [row for row in csv.DictReader(file) if row["train/loss"]]
        found |= {int(row["step"]): float(row["train/loss"]) for row in rows}
    return found


@pytest.mark.slow
def test_two_processes_train_as_one_and_either_goes_on_where_the_other_stopped(tmp_path: Path):
    """Several minutes on two busy cores: each process imports torch."""
    weights = make_weights(tmp_path)[-2]
    run(tmp_path / "one", weights, "trainer.max_steps=4")
    output = run(tmp_path / "two", weights, *TWO, "trainer.max_steps=2")
    assert output.count("finished:") == 1
    run(tmp_path / "two", weights, "trainer.max_steps=4")
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert list(one) == [0, 1, 2, 3]
    assert two == pytest.approx(one, rel=1e-3)
    checkpoints = [tmp_path / name / "checkpoints" / "last.ckpt" for name in ("one", "two")]
    states = [torch.load(path)["state_dict"] for path in checkpoints]
    assert states[0].keys() == states[1].keys()


@pytest.mark.slow
def test_killed_with_all_its_processes_it_goes_on(tmp_path: Path):
    weights = make_weights(tmp_path)[-2]
    process = start(tmp_path / "run", weights, *TWO, "trainer.max_steps=2000")
    deadline = time.monotonic() + 600
    while not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists():
        assert time.monotonic() < deadline, process.communicate()
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"]
    output = run(tmp_path / "run", weights, *TWO, f"trainer.max_steps={last + 2}")
    assert "resuming from" in output
    assert max(losses(tmp_path / "run")) == last + 1
