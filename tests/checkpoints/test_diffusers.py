"""A model that diffusers saved predicts the same through our Denoiser; other folders are named."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from sdg.checkpoints import load_weights, open_checkpoint, unfilled
from sdg.checkpoints.diffusers import diffusers_denoiser, from_diffusers
from sdg.checkpoints.diffusers_process import read_schedule
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError

diffusers = pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")

SIZES: dict[str, Any] = {
    "sample_size": 16,
    "block_out_channels": (32, 32),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 8,
}
OTHERS = (
    "KarrasVeScheduler",
    "CMStochasticIterativeScheduler",
    "IPNDMScheduler",
    "SomethingOfNextYear",
)
"""Schedulers of models of processes that are not known here."""


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


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"])
def test_schedules_are_those_of_diffusers(kind: str) -> None:
    scheduler = {"beta_schedule": kind, "num_train_timesteps": 200, "beta_start": 0.002, "beta_end": 0.05}
    theirs = diffusers.DDPMScheduler(**scheduler).alphas_cumprod
    torch.testing.assert_close(read_schedule(scheduler).alpha_bar.float(), theirs, rtol=1e-4, atol=1e-7)


def test_a_folder_without_a_schedule_means_ddpm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path)
    assert torch.equal(load(tmp_path).schedule.alpha_bar, NoiseSchedule.linear().alpha_bar)
    assert "has no scheduler_config.json: ε and DDPM's linear schedule are assumed" in capsys.readouterr().out


def test_a_schedule_that_is_given_is_taken(tmp_path: Path) -> None:
    save(tmp_path, {"num_train_timesteps": 1000})
    schedule = NoiseSchedule.cosine(300)
    assert diffusers_denoiser(str(tmp_path), schedule).schedule is schedule
    assert len(diffusers_denoiser(str(tmp_path)).schedule) == 1000


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
        ({"sample_size": None}, r"give prior\.denoiser\.image_size=SIDE"),
        ({"sample_size": [32, 16]}, r"sample_size=\[32, 16\].*square"),
        ({"time_embedding_type": "fourier"}, "time_embedding_type=fourier"),
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
        ({"beta_schedule": "laplace"}, r"schedule laplace \(beta_schedule\) is unknown"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr=True"),
        ({"prediction_type": "flow"}, "prediction_type=flow"),
        ({"clip_sample_range": 2.0}, "clip_sample_range=2"),
        ({"thresholding": True}, "thresholding=True"),
        ({"use_flow_sigmas": True, "_class_name": "UniPCMultistepScheduler"}, "use_flow_sigmas=True"),
        (
            {"timestep_type": "continuous", "_class_name": "EulerDiscreteScheduler"},
            "timestep_type=continuous",
        ),
        *(({"_class_name": name}, f"_class_name={name} in the scheduler") for name in OTHERS),
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
    with pytest.raises(SDGError, match="needs diffusers"):
        diffusers_denoiser(str(tmp_path))


@pytest.mark.parametrize(
    "name, clips",
    [
        ("DDPMScheduler", True),
        ("DDIMScheduler", True),
        ("PNDMScheduler", False),
        ("UniPCMultistepScheduler", False),
        ("DPMSolverMultistepScheduler", False),
        ("EulerDiscreteScheduler", False),
    ],
)
def test_schedulers_of_ddpms_process_are_read(tmp_path: Path, name: str, clips: bool) -> None:
    """Each with its own betas; diffusers itself says whether it clips."""
    save(tmp_path)
    theirs = getattr(diffusers, name)(beta_end=0.03, num_train_timesteps=500)
    theirs.save_pretrained(tmp_path)
    denoiser = load(tmp_path)
    assert len(denoiser.schedule) == 500
    torch.testing.assert_close(
        denoiser.schedule.alpha_bar.float(), theirs.alphas_cumprod.float(), rtol=1e-4, atol=1e-7
    )
    assert denoiser.clip is clips is bool(theirs.config.get("clip_sample", False))


@pytest.mark.parametrize("kind", ["StableDiffusionPipeline", "ConsistencyModelPipeline", "KarrasVePipeline"])
def test_pipelines_of_another_process_are_refused(tmp_path: Path, kind: str) -> None:
    save(tmp_path / "unet")
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    for folder in (tmp_path, tmp_path / "unet"):
        with pytest.raises(SDGError, match=f"_class_name={kind} in .*model_index.json"):
            diffusers_denoiser(str(folder))


@pytest.mark.parametrize("part", ["movq", "text_encoder"])
def test_a_unet_beside_what_conditions_it_is_refused(tmp_path: Path, part: str) -> None:
    save(tmp_path / "unet")
    (tmp_path / part).mkdir()
    with pytest.raises(SDGError, match=f"has a {part}: sdg steers pipelines without conditions"):
        diffusers_denoiser(str(tmp_path))


@torch.no_grad()
@pytest.mark.parametrize("inside", ["", "unet"])
def test_a_pipeline_without_its_index(tmp_path: Path, inside: str) -> None:
    model = save(tmp_path / "unet")
    diffusers.DDPMScheduler(beta_end=0.03, prediction_type="sample").save_pretrained(tmp_path / "scheduler")
    denoiser = load(tmp_path / inside)
    assert denoiser.parameterisation == "x0"
    assert denoiser.schedule.alpha_bar[-1] < NoiseSchedule.linear().alpha_bar[-1]
    check_same(denoiser, model)


@pytest.mark.parametrize("size, given, expected", [([16, 16], None, 16), (None, 24, 24), (16, 24, 24)])
def test_sizes(tmp_path: Path, size: Any, given: int | None, expected: int) -> None:
    save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"sample_size": size}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert diffusers_denoiser(str(tmp_path), image_size=given).image_size == expected


@torch.no_grad()
@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.parametrize("most", ["10GB", "10KB"])
def test_variants_and_parts_are_read(tmp_path: Path, variant: str | None, most: str) -> None:
    model = save(tmp_path / "whole")
    model.save_pretrained(tmp_path / "saved", variant=variant, max_shard_size=most)
    files = [path.name for path in (tmp_path / "saved").glob("*.safetensors")]
    assert (len(files) > 1) == (most == "10KB")
    assert all((variant or "-") in name or variant is None for name in files)
    checkpoint = open_checkpoint(tmp_path / "saved")
    assert checkpoint.format == ("safetensors in parts" if most == "10KB" else "safetensors")
    check_same(load(tmp_path / "saved"), model)


@pytest.mark.parametrize("change", ["lost", "elsewhere", "unnamed", "twice"])
def test_parts_that_do_not_match_their_index(tmp_path: Path, change: str) -> None:
    save(tmp_path).save_pretrained(tmp_path, max_shard_size="10KB")
    (tmp_path / "diffusion_pytorch_model.safetensors").unlink()
    path = tmp_path / "diffusion_pytorch_model.safetensors.index.json"
    index = json.loads(path.read_text())
    names = index["weight_map"]
    key, shard = next(iter(names.items()))
    if change == "lost":
        (tmp_path / shard).unlink()
    elif change == "elsewhere":
        names[key] = f"../{tmp_path.name}/{shard}"
    elif change == "unnamed":
        del names[key]
    else:
        shards = sorted(set(names.values()))
        both = safetensors.torch.load_file(tmp_path / shards[0]) | safetensors.torch.load_file(
            tmp_path / shards[1]
        )
        safetensors.torch.save_file(both, tmp_path / shards[1])
    path.write_text(json.dumps(index))
    reason = "which is not beside it" if change in ("lost", "elsewhere") else "do not name the same tensors"
    with pytest.raises(SDGError, match=reason):
        open_checkpoint(tmp_path)


@torch.no_grad()
def test_a_trainings_average_is_taken_unless_the_raw_weights_are_asked(tmp_path: Path) -> None:
    raw, average = save(tmp_path / "unet"), save(tmp_path / "unet_ema", layers_per_block=2)
    check_same(load(tmp_path), average)
    check_same(load(Path(f"{tmp_path}@raw")), raw)


def check_same(denoiser: Denoiser, model: Any) -> None:
    x, t = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([7])
    torch.testing.assert_close(denoiser.network(x, t), model(x, t).sample, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_objects_in_memory_make_the_prior_that_their_folder_makes(tmp_path: Path) -> None:
    model = save(tmp_path, {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"})
    saved = load(tmp_path)
    held = from_diffusers(model, diffusers.DDPMScheduler.from_pretrained(tmp_path)).eval()
    assert torch.equal(held.schedule.alpha_bar, saved.schedule.alpha_bar)
    assert (held.parameterisation, held.clip, held.image_size) == ("v", True, 16)
    step = Timeline(held.schedule, 4).steps[2]
    x = torch.linspace(-1, 1, 2 * 3 * 16 * 16).view(2, 3, 16, 16)
    torch.testing.assert_close(held(x, step).x0, saved(x, step).x0)


def test_other_objects_are_refused(tmp_path: Path) -> None:
    model = save(tmp_path)
    with pytest.raises(SDGError, match="_class_name=CMStochasticIterativeScheduler"):
        from_diffusers(model, diffusers.CMStochasticIterativeScheduler())
    with pytest.raises(SDGError, match="holds a Linear"):
        from_diffusers(torch.nn.Linear(2, 2), diffusers.DDPMScheduler())
