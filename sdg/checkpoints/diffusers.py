"""Unconditional UNets from diffusers in our Denoiser; their folder says what they predict."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sdg.checkpoints.diffusers_folder import DiffusersFolder, read_json
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError


def diffusers_denoiser(
    folder: str | None, schedule: NoiseSchedule | None = None, image_size: int | None = None
) -> Denoiser:
    """A denoiser around a ``UNet2DModel`` that diffusers saved; its weights are not loaded yet.

    What the network predicts is read from ``scheduler_config.json``, in the folder or, for a pipeline, in
    its ``scheduler`` folder. Without one, it is ε, which is told.

    Args:
        folder: one with ``config.json`` and ``diffusion_pytorch_model.safetensors``, or a pipeline's.
        schedule: by default, that of :func:`folder_schedule`.
        image_size: side of the pictures, where the model's ``sample_size`` is null.

    Raises:
        SDGError: diffusers is not installed, the folder's model is of another kind or conditional, or its
            pipeline or scheduler draws in another way than by DDPM's process.
    """
    saved = DiffusersFolder(folder)
    if saved.scheduler is None:
        print(f"note: {folder} has no scheduler_config.json: ε and DDPM's linear schedule are assumed")
    network, size = _unet(saved.model, image_size)
    return Denoiser(
        network,
        schedule or saved.schedule(),
        size,
        network.config.in_channels,
        saved.parameterisation(),
        saved.clips(),
    )


def folder_schedule(folder: str | None) -> NoiseSchedule:
    """The schedule of a diffusers model in ``folder``; DDPM's, linear over 1000 steps, if none is given.

    Raises:
        SDGError: no such folder, or its schedule is not supported.
    """
    return DiffusersFolder(folder).schedule()


def _unet(folder: Path, image_size: int | None) -> tuple[Any, int]:
    """The network in ``folder``, and the side of its pictures."""
    try:
        from diffusers import UNet2DModel
    except ImportError as error:
        raise SDGError(
            "a UNet2DModel needs diffusers, which is not installed: pip install diffusers"
        ) from error
    config = read_json(folder / "config.json")
    kind = config.get("_class_name")
    if kind != "UNet2DModel":
        raise SDGError(f"{folder} holds a {kind}, guidance steers a UNet2DModel: choose another folder")
    if config.get("class_embed_type") or config.get("num_class_embeds"):
        raise SDGError(f"{folder} wants class labels: choose an unconditional model")
    if (embedding := config.get("time_embedding_type", "positional")) != "positional":
        raise SDGError(
            f"time_embedding_type={embedding} in {folder}: it is told the noise in another way than DDPM's "
            f"networks, choose one that is told the timestep"
        )
    size = config.get("sample_size")
    sides = set(size) if isinstance(size, list | tuple) else {size}
    side = sides.pop() if image_size is None and len(sides) == 1 else image_size
    if not isinstance(side, int):
        raise SDGError(
            f"sample_size={size} in {folder / 'config.json'}: give prior.denoiser.image_size=SIDE, the side "
            f"of its square pictures"
        )
    try:
        network = UNet2DModel.from_config(config)
    except (TypeError, ValueError, KeyError) as error:
        raise SDGError(f"{folder / 'config.json'} makes no UNet2DModel ({error}): fetch it again") from error
    network.register_forward_hook(_sample)
    return network, side


def _sample(network: nn.Module, arguments: Any, output: Any) -> Tensor:
    """The network's output, taken out of the record that diffusers returns."""
    return output.sample
