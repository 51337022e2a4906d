"""Which conventions fit a custom prior: how it counts time, and what range its pixels have."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from sdg.checkpoints.custom import custom_denoiser, custom_schedule
from sdg.diffusion.codec import Pixels
from sdg.diffusion.denoiser import Denoiser
from sdg.errors import SDGError
from sdg.networks.foreign import TIMES
from sdg.priors.measure import noise_errors, overall

RANGES = ((-1, 1), (0, 1), (-0.5, 0.5))
"""Ranges of pixels that people use."""


class Convention(NamedTuple):
    """One way to read a network, and how well it then predicts."""

    words: str
    """The settings that choose it."""
    ratio: float
    """Its errors in units of a guess's."""
    own: bool
    """Whether it is the one that is set."""


def conventions(prior: Mapping[str, Any], network: nn.Module, pictures: Tensor) -> list[Convention]:
    """Every combination of time and range, the best first.

    Args:
        prior: resolved settings of ``prior=custom``.
        network: theirs, with its weights.
        pictures: (N, 3, S, S) in [-1, 1].
    """
    own = (prior["time"], tuple(map(float, prior["pixel_range"])))
    wanted = dict.fromkeys([(time, tuple(map(float, each))) for time in TIMES for each in RANGES] + [own])
    found = []
    for time, pixel_range in wanted:
        words = f"prior.time={time} 'prior.pixel_range=[{pixel_range[0]:g}, {pixel_range[1]:g}]'"
        for denoiser in _read(prior, network, time, pixel_range):
            ratio = overall(noise_errors(denoiser.to(pictures.device), pictures))
            found.append(Convention(words, ratio, (time, pixel_range) == own))
    return sorted(found, key=lambda convention: convention.ratio)


def _read(
    prior: Mapping[str, Any], network: nn.Module, time: Any, pixel_range: tuple[float, ...]
) -> Iterator[Denoiser]:
    """The prior read in one way; none where the network does not take such times."""
    schedule = custom_schedule(prior["betas"], prior["checkpoint"], prior["first"], pixel_range)
    same = {key: prior[key] for key in ("size", "parameterisation", "time_shape", "first")}
    codec = Pixels(prior["channels"], prior["padding"])
    try:
        yield custom_denoiser(network, schedule, codec=codec, pixel_range=pixel_range, time=time, **same)
    except SDGError:  # an embedding of whole numbers, say, has no place for fractions
        return
