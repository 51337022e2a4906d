"""A model that diffusers saved predicts the same through our Denoiser; other folders are named."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from sdg.checkpoints import load_weights, unfilled
from sdg.checkpoints.diffusers import diffusers_denoiser, read_schedule
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError

diffusers = pytest.importorskip("diffusers")

SIZES: dict[str, Any] = {
    "sample_size": 16,
    "block_out_channels": (32, 32),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 8,
}


def save(folder: Path, scheduler: dict[str, Any] | None = None, **options: Any) -> Any:
    """A tiny model with random weights, saved by diffusers itself."""
    torch.manual_seed(0)
    model = diffusers.UNet2DModel(**SIZES | options).eval()
    model.save_pretrained(folder)
    if scheduler is not None:
        diffusers.DDPMScheduler(**scheduler).save_pretrained(folder)
    return model


def load(folder: Path) -> Denoiser:
    with unfilled():
        denoiser = diffusers_denoiser(str(folder))
    load_weights(denoiser.network, folder)
    return denoiser.eval()


@torch.no_grad()
@pytest.mark.parametrize(
    "scheduler",
    [
        None,
        {"num_train_timesteps": 1000, "clip_sample": True},
        {"beta_schedule": "scaled_linear", "beta_start": 0.001, "beta_end": 0.012, "clip_sample": False},
        {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "num_train_timesteps": 500},
        {"prediction_type": "sample", "trained_betas": [0.01, 0.02, 0.1]},
    ],
    ids=["none", "linear", "scaled", "cosine", "trained"],
)
def test_the_prediction_is_that_of_diffusers(tmp_path: Path, scheduler: dict[str, Any] | None) -> None:
    model = save(tmp_path, scheduler)
    denoiser = load(tmp_path)
    assert (denoiser.image_size, denoiser.channels) == (16, 3)
    theirs = diffusers.DDPMScheduler(**(scheduler or {}))
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    for step in Timeline(denoiser.schedule, 3).steps[:2]:  # diffusers' float32 is too coarse for the noisiest
        output = model(x_t, step.t).sample
        expected = theirs.step(output, step.t, x_t, generator=torch.Generator()).pred_original_sample
        torch.testing.assert_close(denoiser(x_t, step).x0, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            denoiser.network(x_t, torch.tensor([step.t])), output, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_schedules_are_those_of_diffusers(kind: str) -> None:
    scheduler = {"beta_schedule": kind, "num_train_timesteps": 200, "beta_start": 0.002, "beta_end": 0.05}
    theirs = diffusers.DDPMScheduler(**scheduler).alphas_cumprod
    torch.testing.assert_close(read_schedule(scheduler).alpha_bar.float(), theirs, rtol=1e-4, atol=1e-7)


def test_a_folder_without_a_schedule_means_ddpm(tmp_path: Path) -> None:
    save(tmp_path)
    assert torch.equal(load(tmp_path).schedule.alpha_bar, NoiseSchedule.linear().alpha_bar)


@torch.no_grad()
def test_names_of_before_0_15_and_pipelines_are_read(tmp_path: Path) -> None:
    """As google/ddpm-cat-256 has them: attention in other names, the scheduler in a folder of its own."""
    model = save(tmp_path / "unet")
    file = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {}
    for key, value in safetensors.torch.load_file(file).items():
        for new, old in older.items():
            key = key.replace(f".{new}.", f".{old}.")
        state[key] = value
    assert any(".query." in key for key in state)
    file.unlink()
    torch.save(state, file.with_suffix(".bin"))
    (tmp_path / "model_index.json").write_text("{}")
    diffusers.DDPMScheduler(beta_end=0.03).save_pretrained(tmp_path / "scheduler")
    denoiser = load(tmp_path)
    x, t = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([7])
    torch.testing.assert_close(denoiser.network(x, t), model(x, t).sample, rtol=1e-5, atol=1e-5)
    assert denoiser.schedule.alpha_bar[-1] < NoiseSchedule.linear().alpha_bar[-1]


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"_class_name": "UNet2DConditionModel"}, "holds a UNet2DConditionModel"),
        ({"num_class_embeds": 10}, "class labels"),
        ({"sample_size": None}, "oblong"),
        ({"down_block_types": ["NoSuchBlock"], "up_block_types": ["UpBlock2D"]}, "makes no UNet2DModel"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SDGError, match=reason):
        diffusers_denoiser(str(tmp_path))


@pytest.mark.parametrize(
    "scheduler, reason",
    [
        ({"beta_schedule": "sigmoid"}, "schedule sigmoid is unknown"),
        ({"rescale_betas_zero_snr": True}, "pure noise"),
        ({"prediction_type": "flow"}, "predicts flow"),
        ({"clip_sample_range": 2.0}, "clips x0"),
        ({"thresholding": True}, "clips x0"),
    ],
)
def test_schedules_that_cannot_be_read_are_refused(
    tmp_path: Path, scheduler: dict[str, Any], reason: str
) -> None:
    save(tmp_path)
    (tmp_path / "scheduler_config.json").write_text(json.dumps(scheduler))
    with pytest.raises(SDGError, match=reason):
        diffusers_denoiser(str(tmp_path))


def test_folders_that_lack_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SDGError, match="give the path of a folder that diffusers saved"):
        diffusers_denoiser(str(tmp_path))
    (tmp_path / "config.json").write_text("<html>")
    with pytest.raises(SDGError, match="not the JSON"):
        diffusers_denoiser(str(tmp_path))
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(SDGError, match="pip install diffusers"):
        diffusers_denoiser(str(tmp_path))
