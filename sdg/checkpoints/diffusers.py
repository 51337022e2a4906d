"""Unconditional UNets from diffusers in our Denoiser; their folder says what they predict, and of what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sdg.checkpoints.autoencoders import load_autoencoder
from sdg.checkpoints.diffusers_folder import DiffusersFolder, read_json
from sdg.checkpoints.diffusers_others import read_process
from sdg.checkpoints.diffusers_process import Process
from sdg.diffusion.codec import Codec, Pixels
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import Schedule
from sdg.errors import SDGError
from sdg.extras import need


def diffusers_denoiser(
    folder: str | None,
    schedule: Schedule | None = None,
    image_size: int | None = None,
    codec: Codec | None = None,
    scheduler: Mapping[str, Any] | None = None,
) -> Denoiser:
    """A denoiser around a ``UNet2DModel`` that diffusers saved; its weights are not loaded yet.

    What the network predicts is read from ``scheduler_config.json``, in the folder or, for a pipeline, in
    its ``scheduler`` folder. Without one, it is ε, which is told.

    Args:
        folder: one with ``config.json`` and ``diffusion_pytorch_model.safetensors``, or a pipeline's.
        schedule: by default, that of :func:`folder_schedule`.
        image_size: side of the states, where the model's ``sample_size`` is null.
        codec: by default, that of :func:`folder_codec`.
        scheduler: settings of its scheduler, where the folder has none.

    Raises:
        SDGError: diffusers is not installed, the folder's model is of another kind or conditional, or its
            pipeline or scheduler draws by a process that is not known here.
    """
    saved = DiffusersFolder(folder, scheduler)
    process = saved.process
    if process.settings is None:
        print(f"note: {folder} has no scheduler_config.json: ε and DDPM's linear schedule are assumed")
    network, size = _unet(saved.model, image_size, process)
    channels = network.config.in_channels
    codec = codec or folder_codec(folder)
    # A prediction of codes has no range to be clipped to.
    return _denoiser(network, process, schedule, size, channels, codec, clips=codec.pixels)


def from_diffusers(unet: Any, scheduler: Any, image_size: int | None = None) -> Denoiser:
    """The prior that diffusers' objects in memory make, for ``sdg.load(prior=…)``.

    The network is used as it is, frozen and on the studio's device; nothing is copied.

    Args:
        unet: an unconditional ``UNet2DModel`` of pixels.
        scheduler: such as ``DDPMScheduler``; it says what the network predicts.
        image_size: side of the pictures, where the model's ``sample_size`` is null.

    Raises:
        SDGError: the network is of another kind or conditional, or the scheduler of an unknown process.
    """
    settings, kind = dict(getattr(unet, "config", {})), type(unet).__name__
    described = dict(getattr(scheduler, "config", {})) | {"_class_name": type(scheduler).__name__}
    process = read_process(described, "the scheduler")
    side = _check_unet({"_class_name": kind} | settings, "the network", image_size, process)
    channels = settings["in_channels"]
    return _denoiser(_Samples(unet, _multiple(settings)), process, None, side, channels, Pixels(channels))


def _denoiser(
    network: nn.Module,
    process: Process,
    schedule: Schedule | None,
    size: int,
    channels: int,
    codec: Codec,
    clips: bool = True,
) -> Denoiser:
    read = process.reading(network)
    if read is not network:
        read.size_multiple = network.size_multiple
    return Denoiser(
        read,
        schedule or process.schedule(),
        size,
        channels,
        process.parameterisation(),
        clips and process.clips(),
        process.conditioning(),
        process.sigma_data(),
        codec,
    )


class _Samples(nn.Module):
    """A network of diffusers that gives its output itself, not the record around it."""

    wraps = "unet"

    def __init__(self, unet: nn.Module, size_multiple: int):
        super().__init__()
        self.unet, self.size_multiple = unet, size_multiple

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.unet(x, t).sample


def folder_schedule(folder: str | None, scheduler: Mapping[str, Any] | None = None) -> Schedule:
    """The schedule of a diffusers model in ``folder``; DDPM's, linear over 1000 steps, if none is given.

    Args:
        scheduler: settings of its scheduler, where the folder has none.

    Raises:
        SDGError: no such folder, or its schedule is not supported.
    """
    return DiffusersFolder(folder, scheduler).process.schedule()


def folder_codec(folder: str | None, scaling: float | None = None) -> Codec:
    """Between pictures and the states of a diffusers model: pixels, or codes of the autoencoder beside it.

    Args:
        scaling: see :func:`~sdg.checkpoints.autoencoders.load_autoencoder`.

    Raises:
        SDGError: no such folder, or an autoencoder that is not supported.
    """
    saved = DiffusersFolder(folder)
    channels = read_json(saved.model / "config.json").get("in_channels", 3)
    if saved.autoencoder is None:
        return Pixels(channels)
    return load_autoencoder(saved.autoencoder, channels, scaling)


def _unet(folder: Path, image_size: int | None, process: Process) -> tuple[Any, int]:
    """The network in ``folder``, and the side of its states."""
    UNet2DModel = need("diffusers").UNet2DModel  # a class
    config = read_json(folder / "config.json")
    side = _check_unet(config, str(folder), image_size, process)
    try:
        network = UNet2DModel.from_config(config)
    except (TypeError, ValueError, KeyError) as error:
        raise SDGError(f"{folder / 'config.json'} makes no UNet2DModel ({error}): fetch it again") from error
    network.register_forward_hook(_sample)
    network.size_multiple = _multiple(network.config)
    return network, side


def _multiple(config: Mapping[str, Any]) -> int:
    """What sides must be multiples of, to be halved at every level but the last."""
    return 2 ** (len(config["block_out_channels"]) - 1)


def _check_unet(config: Mapping[str, Any], where: str, image_size: int | None, process: Process) -> int:
    """The side of the states of an unconditional UNet2DModel; raises SDGError for any other network."""
    kind = config.get("_class_name")
    if kind != "UNet2DModel":
        raise SDGError(f"{where} holds a {kind}, guidance steers a UNet2DModel: choose another")
    if config.get("class_embed_type") or config.get("num_class_embeds"):
        raise SDGError(f"{where} wants class labels: choose an unconditional model")
    if (embedding := config.get("time_embedding_type", "positional")) != process.embedding:
        raise SDGError(
            f"time_embedding_type={embedding} in {where}: networks of its scheduler's process have "
            f"{process.embedding}, choose a model and a scheduler that belong together"
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
