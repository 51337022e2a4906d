"""Models of other processes than DDPM's, and of codes, saved by diffusers: three steps are its own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sdg.checkpoints import load_weights, unfilled
from sdg.checkpoints.autoencoders import Latents
from sdg.checkpoints.diffusers import diffusers_denoiser, folder_codec
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import Schedule
from sdg.diffusion.spacing import Spacing
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError

diffusers = pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")
OLD = tuple(map(int, diffusers.__version__.split(".")[:2])) < (0, 39)

TINY: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": (32, 32),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 8,
}
NCSNPP: dict[str, Any] = TINY | {
    "time_embedding_type": "fourier",
    "down_block_types": ("SkipDownBlock2D", "AttnSkipDownBlock2D"),
    "up_block_types": ("AttnSkipUpBlock2D", "SkipUpBlock2D"),
}
AUTOENCODER: dict[str, Any] = {
    "block_out_channels": (32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
}


class At(Spacing):
    """Stops at these times."""

    def __init__(self, *times: float):
        self.times = times

    def __call__(self, schedule: Schedule, steps: int | str) -> tuple[float, ...]:
        return self.times


def save(folder: Path, scheduler: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    model = diffusers.UNet2DModel(**TINY | options).eval()
    for name, parameter in model.named_parameters():
        if name.startswith("conv_out"):  # near zero at first, which would hide what it is multiplied by
            torch.nn.init.normal_(parameter, std=0.05)
    model.save_pretrained(folder)
    scheduler.save_pretrained(folder)
    return model.double()


def load(folder: Path) -> Denoiser:
    with unfilled():
        denoiser = diffusers_denoiser(str(folder))
    load_weights(denoiser.network, folder)
    return denoiser.double().eval()


@torch.no_grad()
def chain(denoiser: Denoiser, sampler: Sampler, times: Sequence[float], x: Tensor) -> list[Tensor]:
    """The states after each step, at the schedule's own scale, with no noise added."""
    states = []
    for step in Timeline(denoiser.schedule, len(times), spacing=At(*times), scaled=True):
        x = sampler.step(x, denoiser(x, step), step, torch.zeros_like(x))
        states.append(x)
    return states


def noise(size: int = 8, channels: int = 3) -> Tensor:
    return torch.randn(
        2, channels, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )


def check(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    assert len(ours) == len(theirs) == 3
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other.double(), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(OLD, reason="diffusers 0.38 filters in float32 alone: runs with a later one")
@torch.no_grad()
def test_score_sdes_of_pixels_from_0_to_1(tmp_path: Path) -> None:
    """The predictor of ScoreSdeVePipeline without its noise is the ancestral mean."""
    scheduler = diffusers.ScoreSdeVeScheduler(sigma_min=0.02, sigma_max=8.0)
    model, denoiser = save(tmp_path, scheduler, **NCSNPP), load(tmp_path)
    assert denoiser.schedule.ends == (0.04, 16.0)
    denoiser.clip = False
    scheduler.set_timesteps(3)
    scheduler.set_sigmas(3)
    y, theirs = 8 * noise(), []
    for t, sigma in zip(scheduler.timesteps, scheduler.discrete_sigmas.flip(0), strict=True):
        score = model(y, sigma.double() * torch.ones(2)).sample
        y = scheduler.step_pred(score, t, y, generator=torch.Generator()).prev_sample_mean
        theirs.append(2 * y - 1)
    times = [2 * float(sigma) for sigma in scheduler.discrete_sigmas]
    check(chain(denoiser, DDPM(), times, 16 * noise() - 1), theirs)


@torch.no_grad()
@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
def test_edm(tmp_path: Path, predicts: str) -> None:
    scheduler = diffusers.EDMEulerScheduler(sigma_max=5.0, sigma_data=0.4, prediction_type=predicts)
    model, denoiser = save(tmp_path, scheduler), load(tmp_path)
    scheduler.set_timesteps(3)
    sigmas = scheduler.sigmas[:-1].tolist()
    x = 5 * noise()
    begun, theirs = x, []
    for t in scheduler.timesteps:
        output = model(scheduler.scale_model_input(x, t), t.double()).sample
        x = scheduler.step(output, t, x).prev_sample.double()
        theirs.append(x)
    check(chain(denoiser, DDIM(), sigmas[::-1], begun), theirs)


@torch.no_grad()
def test_flows(tmp_path: Path) -> None:
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    model, denoiser = save(tmp_path, scheduler), load(tmp_path)
    scheduler.set_timesteps(sigmas=[0.9, 0.6, 0.2])
    times = scheduler.sigmas[:-1].tolist()
    x, theirs = noise(), []
    for t in scheduler.timesteps:
        x = scheduler.step(model(x, t.double()).sample, t, x).prev_sample.double()
        theirs.append(x)
    check(chain(denoiser, DDIM(), times[::-1], noise()), theirs)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["VQModel", "AutoencoderKL"])
def test_codes_of_autoencoders(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole of LDMPipeline in three steps, the decoder included."""
    torch.manual_seed(0)
    channels = 3 if kind == "VQModel" else 4
    autoencoder = getattr(diffusers, kind)(**AUTOENCODER, latent_channels=channels, scaling_factor=0.7).eval()
    folder = "vqvae" if kind == "VQModel" else "vae"
    autoencoder.save_pretrained(tmp_path / folder)
    scheduler = diffusers.DDIMScheduler(clip_sample=False, beta_schedule="scaled_linear", beta_end=0.012)
    scheduler.save_pretrained(tmp_path / "scheduler")
    torch.manual_seed(1)
    unet = diffusers.UNet2DModel(**TINY | {"in_channels": channels, "out_channels": channels}).eval()
    unet.save_pretrained(tmp_path / "unet")
    denoiser = load(tmp_path).float()
    assert (denoiser.image_size, denoiser.channels, denoiser.picture_size, denoiser.clip) == (
        8,
        channels,
        16,
        False,
    )
    pipeline = diffusers.LDMPipeline(vqvae=autoencoder, unet=unet, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    start = torch.randn(2, channels, 8, 8, generator=torch.Generator().manual_seed(1))
    theirs = pipeline(2, torch.Generator().manual_seed(1), num_inference_steps=3, output_type="np").images
    codes = chain(denoiser, DDIM(), [0, 333, 666], start)[-1]
    pictures = denoiser.codec.decode(codes)
    shown = (pictures / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(shown, torch.from_numpy(theirs), rtol=1e-4, atol=1e-4)
    clean = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    found = autoencoder.encode(clean)
    theirs_codes = found.latents if kind == "VQModel" else found.latent_dist.mode()
    torch.testing.assert_close(denoiser.codec.encode(clean), 0.7 * theirs_codes)
    assert capsys.readouterr().out == ""


def test_a_gradient_flows_through_the_decoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    codec = Latents(diffusers.VQModel(**AUTOENCODER, latent_channels=3), "vq", 2, 1.0)
    codes = torch.randn(1, 3, 4, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(codec.decode(codes).sum(), codes)
    assert gradient.abs().min() > 0


@pytest.mark.parametrize(
    "change, reason",
    [
        (
            {"_class_name": "AutoencoderTiny"},
            "holds a AutoencoderTiny, codes are those of VQModel or AutoencoderKL",
        ),
        ({"latent_channels": 4}, "makes 4 channels of 3, the prior draws 3"),
        ({"latents_mean": [0.0]}, "latents_mean in .* cannot be expressed"),
        ({"block_out_channels": [32]}, "makes no autoencoder|does not fit"),
    ],
)
def test_other_autoencoders_are_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    torch.manual_seed(0)
    diffusers.VQModel(**AUTOENCODER, latent_channels=3).save_pretrained(tmp_path / "vqvae")
    save(tmp_path / "unet", diffusers.DDIMScheduler())
    config = json.loads((tmp_path / "vqvae" / "config.json").read_text()) | change
    (tmp_path / "vqvae" / "config.json").write_text(json.dumps(config))
    with pytest.raises(SDGError, match=reason):
        folder_codec(str(tmp_path))


def test_a_scale_that_is_not_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in CompVis/ldm-celebahq-256, whose codes are not scaled at all."""
    torch.manual_seed(0)
    diffusers.VQModel(**AUTOENCODER, latent_channels=3).save_pretrained(tmp_path / "vqvae")
    save(tmp_path / "unet", diffusers.DDIMScheduler())
    path = tmp_path / "vqvae" / "config.json"
    config = json.loads(path.read_text())
    del config["scaling_factor"]
    path.write_text(json.dumps(config))
    assert folder_codec(str(tmp_path)).scale == 0.18215
    assert "has no scaling_factor: 0.18215, diffusers' own, is taken" in capsys.readouterr().out
    assert folder_codec(str(tmp_path), scaling=1).scale == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "scheduler, options, reason",
    [
        (
            "FlowMatchEulerDiscreteScheduler",
            {"invert_sigmas": True},
            "invert_sigmas=True .* cannot be expressed",
        ),
        ("EDMEulerScheduler", {"prediction_type": "sample"}, "prediction_type=sample .* cannot be expressed"),
        ("ScoreSdeVeScheduler", {}, "time_embedding_type=positional .* have fourier"),
        ("CMStochasticIterativeScheduler", {}, "_class_name=CMStochasticIterativeScheduler"),
    ],
)
def test_what_cannot_be_expressed_is_named(
    tmp_path: Path, scheduler: str, options: dict[str, Any], reason: str
) -> None:
    save(tmp_path, diffusers.DDPMScheduler())
    settings = {"_class_name": scheduler} | options
    (tmp_path / "scheduler_config.json").write_text(json.dumps(settings))
    with pytest.raises(SDGError, match=reason):
        diffusers_denoiser(str(tmp_path))


def test_sizes_that_the_levels_do_not_divide(tmp_path: Path) -> None:
    save(tmp_path, diffusers.DDPMScheduler(), sample_size=9)
    with pytest.raises(SDGError, match="multiples of 2, not 9: choose 8"):
        diffusers_denoiser(str(tmp_path))


@pytest.mark.parametrize("channels", [1, 3])
def test_folders_say_whether_they_are_grey(tmp_path: Path, channels: int) -> None:
    save(tmp_path, diffusers.DDPMScheduler(), in_channels=channels, out_channels=channels)
    assert load(tmp_path).codec.encode(torch.zeros(1, 3, 8, 8)).shape[1] == channels


def test_what_a_folder_does_not_say(tmp_path: Path) -> None:
    """``prior=flow`` of a model alone; a scheduler that is there has the last word."""
    save(tmp_path, diffusers.DDPMScheduler())
    flow = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1}
    assert diffusers_denoiser(str(tmp_path), scheduler=flow).parameterisation == "eps"
    (tmp_path / "scheduler_config.json").unlink()
    denoiser = diffusers_denoiser(str(tmp_path), scheduler=flow)
    assert denoiser.parameterisation == "flow"
    told = denoiser.conditioning.at(denoiser.schedule.level(0.25), torch.device("cpu"))
    assert told.tolist() == [0.25]
