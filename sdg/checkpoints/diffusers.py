"""Unconditional UNets from diffusers in our Denoiser; their folder says what they predict."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sdg.checkpoints.places import model_folder
from sdg.diffusion.denoiser import Denoiser, Parameterisation
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError

_PREDICTIONS: dict[str, Parameterisation] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}


def diffusers_denoiser(folder: str | None, schedule: NoiseSchedule | None = None) -> Denoiser:
    """A denoiser around a ``UNet2DModel`` that diffusers saved; its weights are not loaded yet.

    What the network predicts is read from ``scheduler_config.json``, in the folder or, for a pipeline, in
    its ``scheduler`` folder. Without one, it is ε.

    Args:
        folder: one with ``config.json`` and ``diffusion_pytorch_model.safetensors``, or a pipeline's.
        schedule: by default, that of :func:`folder_schedule`.

    Raises:
        SDGError: diffusers is not installed, or the folder's model is of another kind or conditional.
    """
    path = _saved(folder)
    network = _unet(model_folder(path))
    scheduler = _scheduler(path)
    clip = scheduler.get("clip_sample", True)
    if scheduler.get("thresholding") or (clip and scheduler.get("clip_sample_range", 1.0) != 1.0):
        raise SDGError(
            f"{folder} clips x0 to other bounds than -1 and 1, which Denoiser does not: choose another"
        )
    prediction = scheduler.get("prediction_type", "epsilon")
    if prediction not in _PREDICTIONS:
        raise SDGError(
            f"{folder} predicts {prediction}, a Denoiser one of {', '.join(_PREDICTIONS)}: choose another"
        )
    return Denoiser(
        network,
        schedule or folder_schedule(folder),
        network.config.sample_size,
        network.config.in_channels,
        _PREDICTIONS[prediction],
        clip,
    )


def folder_schedule(folder: str | None) -> NoiseSchedule:
    """The schedule of a diffusers model in ``folder``; DDPM's, linear over 1000 steps, if none is given.

    Raises:
        SDGError: no such folder, or its schedule is not supported.
    """
    return read_schedule(_scheduler(_saved(folder)))


def read_schedule(scheduler: dict[str, Any]) -> NoiseSchedule:
    """The schedule of a ``scheduler_config.json``.

    Raises:
        SDGError: its kind is not supported, or its last step is pure noise.
    """
    steps, kind = scheduler.get("num_train_timesteps", 1000), scheduler.get("beta_schedule", "linear")
    start, end = scheduler.get("beta_start", 1e-4), scheduler.get("beta_end", 0.02)
    if scheduler.get("rescale_betas_zero_snr"):
        raise SDGError("a schedule that ends in pure noise (rescale_betas_zero_snr) cannot be sampled here")
    if (trained := scheduler.get("trained_betas")) is not None:
        beta = torch.tensor(trained, dtype=torch.float64)
    elif kind == "linear":
        beta = torch.linspace(start, end, steps, dtype=torch.float64)
    elif kind == "scaled_linear":
        beta = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64).square()
    elif kind == "squaredcos_cap_v2":
        return NoiseSchedule.cosine(steps)
    else:
        raise SDGError(f"the schedule {kind} is unknown here: use linear, scaled_linear or squaredcos_cap_v2")
    return NoiseSchedule((1 - beta).cumprod(0))


def _saved(folder: str | None) -> Path:
    if not folder or os.path.isfile(Path(folder).expanduser()):
        raise SDGError(
            f"prior.checkpoint={folder} is no folder that diffusers saved: give one, or prior=adm for a file"
        )
    return Path(folder).expanduser()


def _scheduler(path: Path) -> dict[str, Any]:
    places = (path / "scheduler_config.json", path / "scheduler" / "scheduler_config.json")
    return next((_read(place) for place in places if place.is_file()), {})


def _unet(folder: Path) -> Any:
    try:
        from diffusers import UNet2DModel
    except ImportError as error:
        raise SDGError(
            "a UNet2DModel needs diffusers, which is not installed: pip install diffusers"
        ) from error
    config = _read(folder / "config.json")
    kind = config.get("_class_name")
    if kind != "UNet2DModel":
        raise SDGError(f"{folder} holds a {kind}, guidance steers a UNet2DModel: choose another folder")
    size = config.get("sample_size")
    if config.get("class_embed_type") or config.get("num_class_embeds") or not isinstance(size, int):
        raise SDGError(f"{folder} wants class labels or oblong images: choose an unconditional, square model")
    try:
        network = UNet2DModel.from_config(config)
    except (TypeError, ValueError, KeyError) as error:
        raise SDGError(f"{folder / 'config.json'} makes no UNet2DModel ({error}): fetch it again") from error
    network.register_forward_hook(_sample)
    return network


def _sample(network: nn.Module, arguments: Any, output: Any) -> Tensor:
    """The network's output, taken out of the record that diffusers returns."""
    return output.sample


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SDGError(f"there is no {path}: give the path of a folder that diffusers saved") from error
    except (OSError, ValueError) as error:
        raise SDGError(f"{path} is not the JSON that diffusers writes: fetch it again") from error
    if not isinstance(settings, dict):
        raise SDGError(f"{path} is not the JSON that diffusers writes: fetch it again")
    return settings
