"""What a resumed training must find as it was: random numbers of dropout, and the pictures."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from sdg.errors import SDGError
from sdg.training.judge import JudgeTraining
from sdg.training.ranks import Ranks
from tests.data.pictures import make_folder, picture
from tests.training.test_runs import Killed, kill_at, run

DROPOUT = "+prior.denoiser.network.unet.dropout=0.3"


def test_a_resumed_training_with_dropout_is_the_undisturbed_one(tmp_path: Path, monkeypatch):
    whole = run("toyfaces_prior", tmp_path / "whole", 4, DROPOUT)
    with monkeypatch.context() as patch:
        kill_at(3, patch)
        with pytest.raises(Killed):
            run("toyfaces_prior", tmp_path / "killed", 4, DROPOUT)
    torch.rand(7)  # another state than the killed run's
    resumed = run("toyfaces_prior", tmp_path / "killed", 4, DROPOUT)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    without = run("toyfaces_prior", tmp_path / "without", 4)
    assert any(not torch.equal(whole[key], without[key]) for key in whole)


def test_masks_are_a_function_of_seed_step_and_rank(monkeypatch: pytest.MonkeyPatch):
    def mask(seed: int, step: int, rank: int) -> tuple[bool, ...]:
        monkeypatch.setattr(Ranks, "current", lambda: Ranks(4, rank))
        module = JudgeTraining.__new__(JudgeTraining)
        object.__setattr__(module, "seed", seed)
        with torch.random.fork_rng():
            JudgeTraining.on_train_batch_start(module, {"step": step}, 0)
            return tuple((F.dropout(torch.ones(64), 0.5) > 0).tolist())

    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 11, 0), (0, 1, 1)]
    masks = [mask(*key) for key in keys]
    assert len(set(masks)) == len(keys)
    assert [mask(*key) for key in keys] == masks


def files(root: Path, folder: Path, steps: int) -> dict[str, torch.Tensor]:
    own = [f"data.root={root}", f"data.cache={root.parent / 'cache'}", "data.workers=0", "data.enlarge=true"]
    return run("toyfaces_prior", folder, steps, "data=folder", *own, toyfaces=False)


def test_other_pictures_are_refused_and_the_same_ones_found_elsewhere(tmp_path: Path):
    root = make_folder(tmp_path / "one", 6)
    whole = files(root, tmp_path / "whole", 4)
    files(root, tmp_path / "run", 2)
    moved = root.rename(tmp_path / "moved")
    (moved / "00004" / "00005.png").write_bytes(picture(5, (40, 40)))
    before = (tmp_path / "run" / "prior.md").read_text()
    with pytest.raises(
        SDGError, match=r"data\.root=.*moved holds other pictures than this training began with"
    ):
        files(moved, tmp_path / "run", 4)
    assert (tmp_path / "run" / "prior.md").read_text() == before
    (moved / "00004" / "00005.png").write_bytes(picture(5))
    resumed = files(moved, tmp_path / "run", 4)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
