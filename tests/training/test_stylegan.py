"""Training StyleGAN2: penalties against closed forms, one step a batch, exact resume."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sdg.checkpoints import read_state
from sdg.randomness import keyed_generator
from sdg.training.run import train
from sdg.training.stylegan import gradient_penalty, path_lengths
from tests.tiny import TRAINING, configure

SMALL = [
    "+experiment=toyfaces_stylegan",
    *TRAINING,
    "model.generator.latent_dim=8",
    "model.generator.mapping_layers=2",
    "model.generator.channel_max=8",
    "model.discriminator.channel_max=8",
    "model.r1_every=2",
    "model.path_length=2.0",
    "model.path_length_every=2",
    "callbacks.figure.count=2",
]


def run(folder: Path, steps: int, *overrides: str) -> dict[str, Tensor]:
    config = configure("train", [*SMALL, f"output_dir={folder}", f"trainer.max_steps={steps}", *overrides])
    train(config)
    return read_state(folder / "stylegan.safetensors")


def moved(folder: Path) -> dict[str, Tensor]:
    """All that a run leaves in its checkpoint and that training moves."""
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


class Killed(Exception):
    """Stands for SIGKILL in the middle of a step."""


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the training die in its step number ``step`` (from 0), between its two optimisers."""
    original = torch.optim.AdamW.step
    done = 0

    def dying(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        nonlocal done
        if done == 2 * step + 1:
            raise Killed
        done += 1
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", dying)


def test_killed_and_resumed_equals_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    whole = run(tmp_path / "whole", 4)
    with monkeypatch.context() as patch:
        kill_at(3, patch)  # the newest checkpoint is that of step 2
        with pytest.raises(Killed):
            run(tmp_path / "killed", 4)
    capsys.readouterr()
    resumed = run(tmp_path / "killed", 4)
    assert "resuming from" in capsys.readouterr().out
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    both = moved(tmp_path / "whole"), moved(tmp_path / "killed")
    assert both[0].keys() == both[1].keys()
    assert all(torch.equal(value, both[1][key]) for key, value in both[0].items())
    assert float(both[0]["path_mean"]) > 0


def test_a_batch_is_one_step_that_moves_both_networks_and_the_average(tmp_path: Path):
    run(tmp_path / "run", 2, "callbacks.checkpoint.every=1")
    record = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert record["global_step"] == 2
    assert int(record["state_dict"]["average.n_averaged"]) == 2
    steps = [
        state["step"] for optimizer in record["optimizer_states"] for state in optimizer["state"].values()
    ]
    assert {int(step) for step in steps} == {2}
    assert len(steps) == sum(
        key.startswith(("generator.", "discriminator."))
        and not key.endswith("kernel")
        and ".noises." not in key
        for key in record["state_dict"]
    )


def test_a_run_leaves_the_averaged_generator_with_a_card_and_pictures(tmp_path: Path):
    exported = run(tmp_path / "run", 4)
    average = moved(tmp_path / "run")
    for key, value in exported.items():
        assert torch.equal(value, average[f"average.module.{key}"].half())
    card = (tmp_path / "run" / "stylegan.md").read_text()
    assert "StyleGAN2" in card
    assert "- weights: an exponential average over the steps (decay 0.998)" in card
    assert "train/r1" in card
    assert list((tmp_path / "run" / "figures").glob("samples_*.png"))


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_both_penalties_compute_in_half_precisions(tmp_path: Path, precision: str):
    run(tmp_path / "run", 2, f"trainer.precision={precision}")
    state = moved(tmp_path / "run")
    assert float(state["path_mean"]) > 0
    assert all(value.isfinite().all() for value in state.values())


def test_gradient_penalty_of_a_linear_critic_is_the_square_of_its_weights():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    images = torch.randn(5, 3, 2, 2, generator=keyed_generator("critic"))
    penalty = gradient_penalty(critic, images)
    torch.testing.assert_close(penalty, critic[1].weight.square().sum())
    (slope,) = torch.autograd.grad(penalty, critic[1].weight)
    torch.testing.assert_close(slope, 2 * critic[1].weight.detach())


def test_path_lengths_of_a_linear_generator_are_the_norms_of_its_rows():
    """For images = A w the length is ‖Aᵀy‖/√(HW), here of one layer, whatever the other samples are."""
    generator = keyed_generator("paths")
    a, w = torch.randn(12, 4, generator=generator), torch.randn(3, 1, 4, generator=generator)
    y = torch.randn(3, 3, 2, 2, generator=generator)
    w.requires_grad_()
    lengths = path_lengths((w[:, 0] @ a.T).view(3, 3, 2, 2), w, y)
    torch.testing.assert_close(lengths, (y.flatten(1) @ a).norm(dim=1) / 2)
