"""Settings that no training can be made of: one line, and nothing written."""

from pathlib import Path

import pytest
from torch import nn

from sdg.errors import SDGError
from sdg.training.optimisation import Optimisation, exponential_average
from sdg.training.run import train
from tests.tiny import TRAINING, configure, make_weights
from tests.training.test_stylegan import SMALL


@pytest.mark.parametrize(
    "override, complaint",
    [
        ("seed=-1", "seed=-1 is out of range: use a whole number from 0 to 4294967295"),
        ("seed=5000000000", "seed=5000000000 is out of range"),
        ("trainer.max_steps=1e1", "trainer.max_steps=10.0 does not fit: give a whole number"),
        ("trainer.accumulate_grad_batches=0", "accumulate_grad_batches=0 makes no sense"),
        ("trainer.log_every_n_steps=0", "log_every_n_steps=0 makes no sense"),
        ("callbacks.export.every=0", "callbacks.export.every=0 makes no sense"),
        ("callbacks.checkpoint.every=-3", "callbacks.checkpoint.every=-3 makes no sense"),
        ("data.batch_size=0", "data.batch_size=0 makes no sense"),
        ("trainer.gradient_clip_val=-1", "clips nothing: use null, or a number above 0"),
        ("trainer.gradient_clip_val=0", "clips nothing: use null, or a number above 0"),
        ("+trainer.overfit_batches=1", "use data.train_count=N to train on few pictures"),
        ("+trainer.limit_train_batches=2", "trainer.max_steps=N for few steps"),
        ("trainer.check_val_every_n_epoch=1", "use trainer.val_check_interval=STEPS"),
    ],
)
def test_numbers_that_make_no_sense(tmp_path: Path, override: str, complaint: str):
    with pytest.raises(SDGError, match=complaint):
        train(configure("train", [*TRAINING, override, f"output_dir={tmp_path}/run"]))
    assert not (tmp_path / "run").exists()


def test_a_training_that_would_keep_nothing(tmp_path: Path):
    config = configure("train", [*TRAINING, f"output_dir={tmp_path}/run"])
    config.callbacks = None
    with pytest.raises(SDGError, match="without callbacks nothing of a training is kept"):
        train(config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("experiment", ["toyfaces_clip", "toyfaces_clip_pretrain"])
def test_a_batch_with_nothing_to_compare(tmp_path: Path, experiment: str):
    weights = make_weights(tmp_path / "weights")[-2]
    words = [f"+experiment={experiment}", *TRAINING, weights, "data.batch_size=1"]
    with pytest.raises(
        SDGError, match=r"data\.batch_size=1 leaves a contrastive loss nothing to compare: use 2"
    ):
        train(configure("train", [*words, f"output_dir={tmp_path}/run"]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "override, remedy",
    [
        ("trainer.gradient_clip_val=1.0", "trainer.gradient_clip_val=null"),
        ("trainer.accumulate_grad_batches=2", "trainer.accumulate_grad_batches=1"),
    ],
)
def test_what_a_model_with_two_optimisers_cannot_do(tmp_path: Path, override: str, remedy: str):
    with pytest.raises(SDGError, match=f"takes its steps itself: use {remedy}"):
        train(configure("train", [*SMALL, override, f"output_dir={tmp_path}/run"]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.0},
        {"lr": -1.0},
        {"lr": float("nan")},
        {"weight_decay": -0.1},
        {"betas": (0.9, 1.0)},
        {"betas": (0.9,)},
        {"warmup": -5},
        {"final": -1.0},
    ],
)
def test_optimisers_that_do_not_exist(settings: dict):
    with pytest.raises(
        SDGError, match=rf"model\.optimisation\.{next(iter(settings))}=.* makes no sense: use"
    ):
        Optimisation(**{"lr": 1e-3, **settings})


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_averages_of_nothing(decay: float):
    with pytest.raises(SDGError, match="averages nothing: use a number from 0 to below 1"):
        exponential_average(nn.Linear(1, 1), decay)


def test_a_folder_of_samples_is_no_training_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("prompts: [a face]\nseed: 0\n", encoding="utf-8")
    config = configure("train", [*TRAINING, "trainer.max_steps=1", f"output_dir={tmp_path}"])
    with pytest.raises(SDGError, match="other settings: choose another output_dir"):
        train(config)
