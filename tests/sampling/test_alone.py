"""One process on one device needs no trainer; anything else is the trainer's."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sdg.composition import compose
from sdg.config import plain
from sdg.sampling.alone import device_alone
from sdg.sampling.plan import SamplePlan
from sdg.sampling.run import sample
from sdg.sampling.shard import PlanShard
from tests.tiny import configure, make_weights


def settings(*words: str) -> dict[str, Any]:
    return plain(compose("sample", list(words)).trainer)


@pytest.fixture(autouse=True)
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(
    "words, device",
    [
        ([], "cpu"),
        (["trainer.accelerator=cpu"], "cpu"),
        (["trainer.accelerator=gpu"], None),  # there is none: Lightning says so
        (["trainer.devices=2"], None),
        (["trainer.devices=auto"], None),
        (["+trainer.precision=bf16-mixed"], None),
        (["trainer=predict_ddp"], None),
        (["+trainer.num_nodes=2"], None),
    ],
)
def test_what_needs_no_trainer(words: list[str], device: str | None) -> None:
    assert device_alone(settings(*words)) == (None if device is None else torch.device(device))


@pytest.mark.parametrize("accelerator", ["auto", "gpu", "cuda"])
def test_the_first_gpu_is_taken(monkeypatch: pytest.MonkeyPatch, accelerator: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_alone(settings(f"trainer.accelerator={accelerator}")) == torch.device("cuda", 0)


def test_processes_that_torchrun_started_are_the_trainers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert device_alone(settings()) is None


def test_batches_are_what_is_left_in_order() -> None:
    plan = SamplePlan(["a", "b"], [], samples_per_prompt=2, seed=0, scale=1.0)
    batches = [[entry.id for entry in batch] for batch in PlanShard(plan, {1, 4}, batch_size=3).batches()]
    assert batches == [[0, 2, 3], [5]]


def test_lightning_draws_the_same(tmp_path: Path) -> None:
    weights = make_weights(tmp_path)
    words = [
        *weights,
        "prompts=[a face]",
        "samples_per_prompt=3",
        "batch_size=2",
        "group=2",
        "sampler.steps=2",
    ]
    words += ["guidance.scale=30", "trainer.accelerator=cpu"]
    for name, more in (("alone", []), ("spread", ["+trainer.detect_anomaly=false"])):
        sample(configure("sample", [*words, *more, f"output_dir={tmp_path / name}"]))
    for path in (tmp_path / "alone" / "samples").iterdir():
        assert path.read_bytes() == (tmp_path / "spread" / "samples" / path.name).read_bytes()
