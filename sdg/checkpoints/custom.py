"""A prior by anyone: their network in our Denoiser, whatever it calls pixels, noise and time."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from sdg.checkpoints.tables import Betas, read_alpha_bar
from sdg.checkpoints.weights import filled
from sdg.diffusion.codec import Codec, Pixels
from sdg.diffusion.denoiser import Denoiser, Parameterisation
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.networks.foreign import SHAPES, Foreign, Time, shifted_alpha_bar


def custom_denoiser(
    network: str | nn.Module | None,
    schedule: NoiseSchedule,
    size: int | None,
    arguments: Mapping[str, Any] | None = None,
    codec: Codec | None = None,
    pixel_range: Sequence[float] = (-1, 1),
    parameterisation: Parameterisation = "eps",
    time: Time = "index",
    time_shape: str = "(B,)",
    first: int = 0,
    clip: bool = True,
) -> Denoiser:
    """A denoiser around a network by anyone, called with states and times.

    Args:
        network: the network, or the dotted path of what makes it, anywhere on Python's path.
        schedule: of :func:`custom_schedule`.
        size: side of the pictures, without the codec's padding.
        arguments: of the network's constructor.
        codec: says what its states are: colours or grey, and padding.
        pixel_range, time, time_shape, first: see :class:`~sdg.networks.foreign.Foreign`.
        parameterisation, clip: see :class:`Denoiser`.

    Raises:
        SDGError: no such network, or a setting that means nothing.
    """
    codec = codec or Pixels()
    if not isinstance(size, int):
        raise SDGError("the side of this prior's pictures is not known: give prior.size=SIDE")
    if not isinstance(network, nn.Module):
        network = _made(network, arguments or {})
    side = size + 2 * getattr(codec, "padding", 0)
    what = {"velocity": parameterisation == "v", "pictures": parameterisation == "x0"}
    foreign = Foreign(network, schedule.alpha_bar, pixel_range, time, time_shape, first, **what)
    meaning: Parameterisation = "x0" if foreign.velocity else parameterisation
    channels = getattr(codec, "channels", 3)
    _try(foreign, channels, side)
    return Denoiser(foreign, schedule, side, channels, meaning, clip, codec=codec)


def custom_schedule(
    betas: Betas = None,
    checkpoint: str | None = None,
    first: int = 0,
    pixel_range: Sequence[float] = (-1, 1),
) -> NoiseSchedule:
    """The schedule of our states, for a network trained on noise ``betas`` and pixels in ``pixel_range``.

    Args:
        betas, checkpoint, first: see :func:`~sdg.checkpoints.tables.read_alpha_bar`.

    Raises:
        SDGError: there is no such table.
    """
    return NoiseSchedule(shifted_alpha_bar(read_alpha_bar(betas, checkpoint, first), pixel_range))


def custom_prior(
    network: nn.Module,
    size: int | None = None,
    channels: int = 3,
    padding: int = 0,
    betas: Betas | Tensor = None,
    pixel_range: Sequence[float] = (-1, 1),
    parameterisation: Parameterisation = "eps",
    time: Time = "index",
    time_shape: str = "(B,)",
    first: int = 0,
    clip: bool = True,
) -> Denoiser:
    """A network in memory as a prior, for ``sdg.load(prior=network, size=28, channels=1, …)``.

    Raises:
        SDGError: as :func:`custom_denoiser`.
    """
    table = betas.tolist() if isinstance(betas, Tensor) else betas
    schedule = custom_schedule(table, None, first, pixel_range)
    codec = Pixels(channels, padding)
    return custom_denoiser(
        network, schedule, size, None, codec, pixel_range, parameterisation, time, time_shape, first, clip
    )


@torch.no_grad()
def _try(foreign: Foreign, channels: int, side: int) -> None:
    """Raise SDGError now, not in the middle of a run, if a network does not take what it will be given."""
    example = next((parameter for parameter in foreign.parameters()), torch.zeros(()))
    modes = {module: module.training for module in foreign.modules()}
    try:
        state = torch.zeros(2, channels, side, side, dtype=example.dtype, device=example.device)
        output = foreign.eval()(state, torch.zeros(1, dtype=torch.int64, device=example.device))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise SDGError(
            f"the prior's network does not take states of {channels}x{side}x{side} and times of shape "
            f"{SHAPES[foreign.shape]} ({reason[:200]}): check channels, size, padding and time_shape"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
    if output.shape not in [(2, n * channels, side, side) for n in (1, 2)]:
        raise SDGError(
            f"the prior's network gives {tuple(output.shape)} for {tuple(state.shape)}: it must give as many "
            "channels, or twice as many with a learned variance"
        )


def _made(path: str | None, arguments: Mapping[str, Any]) -> nn.Module:
    """The network that a dotted path makes, built plainly: it may touch its weights as it likes."""
    if not path:
        raise SDGError("no network is named: give prior.network=package.module.Class")
    module, _, name = path.rpartition(".")
    try:
        make = getattr(import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise SDGError(
            f"prior.network={path} is not on Python's path ({error}): give package.module.Class, of a file "
            "in this folder, say"
        ) from error
    try:
        with filled(), torch.random.fork_rng(devices=[]):
            made = make(**arguments)
    except TypeError as error:
        raise SDGError(
            f"prior.network={path} takes other arguments ({error}): mend prior.arguments"
        ) from error
    if not isinstance(made, nn.Module):
        raise SDGError(
            f"prior.network={path} makes a {type(made).__name__}, no torch.nn.Module: name a class"
        )
    return made
