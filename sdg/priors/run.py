"""Trying a prior: its errors on pictures, the conventions that would fit better, and eight pictures by it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.errors import HydraException
from omegaconf import OmegaConf
from torch import Tensor

from sdg.checkpoints.places import cache_folder
from sdg.config import one_line
from sdg.data.locate import find_source
from sdg.data.squares import SourceSquares
from sdg.diffusion.codec import Pixels
from sdg.diffusion.denoiser import Denoiser
from sdg.errors import SDGError
from sdg.networks.foreign import Foreign
from sdg.pixels import from_bytes
from sdg.priors.conventions import conventions
from sdg.priors.measure import NOTHING, noise_errors, overall, predicts_nothing
from sdg.sampling.networks import Compute
from sdg.studio.studio import Studio

EIGHT = 8


def check(
    words: Sequence[str], pictures: str | None, count: int, out: Path, device: str | None
) -> Iterator[str]:
    """What is found out, line by line; ``out`` receives eight unguided pictures.

    Args:
        words: settings of ``sample.py`` that choose the prior and the sampler.
        pictures: folder, archive or LMDB of pictures such as it should draw; None: errors are not measured.
        count: of these pictures.

    Raises:
        SDGError: the prior cannot be loaded, or the pictures cannot be read.
    """
    with Studio(*words, "method=unguided", device=device) as studio:
        config = studio.base.config()
        settings: Any = OmegaConf.to_container(config.method.prior, resolve=True)
        denoiser = _loaded(studio, settings)
        grey = (
            "grey pictures" if isinstance(denoiser.codec, Pixels) and denoiser.channels == 1 else "pictures"
        )
        yield f"it draws {grey} of {denoiser.picture_size} px, and predicts {denoiser.parameterisation}"
        if pictures is None:
            yield "give pictures=FOLDER, of pictures such as it should draw, to see what it predicts"
        else:
            shown = read_some(pictures, denoiser.picture_size, count).to(studio.networks.device)
            yield from _codes(denoiser, shown)
            yield from _errors(denoiser, shown)
            yield from _fit(settings, denoiser, shown)
        drawn = studio.draw(n=EIGHT)
        out.parent.mkdir(parents=True, exist_ok=True)
        drawn.grid().save(out)
        yield f"eight pictures by it, unguided: {out}"


def _loaded(studio: Studio, settings: dict[str, Any]) -> Denoiser:
    try:
        return studio.networks.denoiser(settings, Compute())
    except HydraException as error:
        raise SDGError(one_line(error)) from error


def read_some(pictures: str, size: int, count: int) -> Tensor:
    """Evenly spaced pictures of a source, (N, 3, size, size) in [-1, 1]."""
    squares = SourceSquares(find_source(pictures, cache_folder(), (), size), size, enlarge=True)
    if not len(squares):
        raise SDGError(f"{pictures} holds no pictures: give a folder of some")
    places = sorted({i * len(squares) // count for i in range(count)})
    return from_bytes(torch.stack([squares[place] for place in places]))


def _codes(denoiser: Denoiser, pictures: Tensor) -> Iterator[str]:
    """Whether an autoencoder's codes have the scale that priors are trained on."""
    if denoiser.codec.pixels:
        return
    deviation = denoiser.codec.encode(pictures[:8]).std().item()
    yield f"codes of these pictures have a standard deviation of {deviation:.2f}; priors learn about 1"
    if not 0.5 < deviation < 2:
        yield f"warning: codes of another scale: try prior.scaling={1 / deviation:.3g} times what it is now"


def _errors(denoiser: Denoiser, pictures: Tensor) -> Iterator[str]:
    errors = noise_errors(denoiser, pictures)
    yield f"mean squared error of its noise, on {len(pictures)} pictures (1 is that of zeros):"
    for error in errors:
        yield f"  t = {error.t:<6g}{error.mse:8.3f}   a guess {error.guess:.3f}"
    if predicts_nothing(errors):
        yield (
            f"warning: it predicts nothing of these pictures: its errors are {overall(errors):.2f} times a "
            "guess's, which knows each pixel's mean and variance alone. See whether these are trained "
            "weights, and prior.parameterisation, prior.betas, prior.time, prior.pixel_range their authors'"
        )


def _fit(settings: dict[str, Any], denoiser: Denoiser, pictures: Tensor) -> Iterator[str]:
    if not isinstance(denoiser.network, Foreign):
        return
    found = conventions(settings, denoiser.network.network, pictures)
    yield "errors in units of a guess's, as time and pixels may be counted:"
    for convention in found:
        yield f"  {convention.ratio:8.3f}   {convention.words}{'   (yours)' if convention.own else ''}"
    best = found[0]
    if best.ratio > NOTHING:
        yield "none of them fits"
    else:
        yield "yours fits best" if best.own else f"better than yours: {best.words}"
