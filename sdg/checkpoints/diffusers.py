"""Unconditional UNets from diffusers in our Denoiser; their folder says what they predict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sdg.checkpoints.diffusers_folder import DiffusersFolder, read_json
from sdg.checkpoints.diffusers_process import DDPMProcess
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.extras import need


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
    process = saved.process
    if process.settings is None:
        print(f"note: {folder} has no scheduler_config.json: ε and DDPM's linear schedule are assumed")
    network, size = _unet(saved.model, image_size)
    return Denoiser(
        network,
        schedule or process.schedule(),
        size,
        network.config.in_channels,
        process.parameterisation(),
        process.clips(),
    )


def from_diffusers(unet: Any, scheduler: Any, image_size: int | None = None) -> Denoiser:
    """The prior that diffusers' objects in memory make, for ``sdg.load(prior=…)``.

    The network is used as it is, frozen and on the studio's device; nothing is copied.

    Args:
        unet: an unconditional ``UNet2DModel``.
        scheduler: of DDPM's kind, such as ``DDPMScheduler``; it says what the network predicts.
        image_size: side of the pictures, where the model's ``sample_size`` is null.

    Raises:
        SDGError: the network is of another kind or conditional, or the scheduler is not DDPM's.
    """
    settings, kind = dict(getattr(unet, "config", {})), type(unet).__name__
    side = _check_unet({"_class_name": kind} | settings, "the network", image_size)
    described = dict(getattr(scheduler, "config", {})) | {"_class_name": type(scheduler).__name__}
    process = DDPMProcess(described, "the scheduler")
    return Denoiser(
        _Samples(unet),
        process.schedule(),
        side,
        settings["in_channels"],
        process.parameterisation(),
        process.clips(),
    )


class _Samples(nn.Module):
    """A network of diffusers that gives its output itself, not the record around it."""

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.unet(x, t).sample


def folder_schedule(folder: str | None) -> NoiseSchedule:
    """The schedule of a diffusers model in ``folder``; DDPM's, linear over 1000 steps, if none is given.

    Raises:
        SDGError: no such folder, or its schedule is not supported.
    """
    return DiffusersFolder(folder).process.schedule()


def _unet(folder: Path, image_size: int | None) -> tuple[Any, int]:
    """The network in ``folder``, and the side of its pictures."""
    UNet2DModel = need("diffusers").UNet2DModel  # a class
    config = read_json(folder / "config.json")
    side = _check_unet(config, str(folder), image_size)
    try:
        network = UNet2DModel.from_config(config)
    except (TypeError, ValueError, KeyError) as error:
        raise SDGError(f"{folder / 'config.json'} makes no UNet2DModel ({error}): fetch it again") from error
    network.register_forward_hook(_sample)
    return network, side


def _check_unet(config: Mapping[str, Any], where: str, image_size: int | None) -> int:
    """The side of the pictures of an unconditional UNet2DModel; raises SDGError for any other network."""
    kind = config.get("_class_name")
    if kind != "UNet2DModel":
        raise SDGError(f"{where} holds a {kind}, guidance steers a UNet2DModel: choose another")
    if config.get("class_embed_type") or config.get("num_class_embeds"):
        raise SDGError(f"{where} wants class labels: choose an unconditional model")
    if (embedding := config.get("time_embedding_type", "positional")) != "positional":
        raise SDGError(
            f"time_embedding_type={embedding} in {where}: it is told the noise in another way than DDPM's "
            f"networks, choose one that is told the timestep"
        )
    size = config.get("sample_size")
    sides = set(size) if isinstance(size, list | tuple) else {size}
    side = sides.pop() if image_size is None and len(sides) == 1 else image_size
    if not isinstance(side, int):
        raise SDGError(
            f"sample_size={size} in {where}: give prior.denoiser.image_size=SIDE (from Python image_size=), "
            f"the side of its square pictures"
        )
    return side


def _sample(network: nn.Module, arguments: Any, output: Any) -> Tensor:
    """The network's output, taken out of the record that diffusers returns."""
    return output.sample
