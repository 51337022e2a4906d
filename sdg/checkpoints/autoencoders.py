"""Autoencoders of latent diffusion, by diffusers' own modules, as codecs."""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sdg.checkpoints.diffusers_folder import read_json
from sdg.checkpoints.weights import filled, load_weights, unfilled
from sdg.diffusion.codec import Codec
from sdg.errors import SDGError
from sdg.extras import need

_KINDS: dict[str, Literal["vq", "kl"]] = {"VQModel": "vq", "AutoencoderKL": "kl"}


class Latents(Codec):
    """Codes of an autoencoder: those of VQ before they are quantised, or KL's means; times a scale.

    Args:
        autoencoder: diffusers' ``VQModel`` or ``AutoencoderKL``, frozen here.
        kind: which.
        factor: how many pixels, along each side, one code stands for.
        scale, shift: codes are (code - shift) · scale, so that a prior's have about unit variance.
    """

    pixels = False

    def __init__(
        self, autoencoder: nn.Module, kind: Literal["vq", "kl"], factor: int, scale: float, shift: float = 0.0
    ):
        super().__init__()
        self.autoencoder: Any = autoencoder.eval().requires_grad_(False)
        self.kind, self.factor, self.scale, self.shift = kind, factor, scale, shift

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        found = self.autoencoder.encode(pictures)
        codes: Tensor = found.latents if self.kind == "vq" else found.latent_dist.mode()
        return (codes - self.shift) * self.scale

    def decode(self, states: Tensor) -> Tensor:
        pictures: Tensor = self.autoencoder.decode(states / self.scale + self.shift).sample
        return pictures

    def picture_size(self, side: int) -> int:
        return side * self.factor

    def settle(self, states: Tensor) -> Tensor:
        return states

    def train(self, mode: bool = True) -> "Latents":
        """Stays in eval mode."""
        return super().train(False)


def load_autoencoder(folder: Path, channels: int, scaling: float | None = None) -> Latents:
    """The autoencoder that diffusers saved in ``folder``, with its weights.

    Args:
        channels: of the prior's codes.
        scaling: what codes are multiplied by; None: as the folder says or, where it does not, as diffusers
            does, which is told.

    Raises:
        SDGError: it is of another kind, makes other codes, or scales them in another way.
    """
    config = read_json(folder / "config.json")
    kind = _KINDS.get(str(config.get("_class_name")))
    if kind is None:
        raise SDGError(
            f"{folder} holds a {config.get('_class_name')}, codes are those of {' or '.join(_KINDS)}: "
            "choose another"
        )
    for name in ("latents_mean", "latents_std"):
        if config.get(name) is not None:
            raise SDGError(
                f"{name} in {folder / 'config.json'} cannot be expressed here: choose another prior"
            )
    try:
        with unfilled():
            autoencoder = getattr(need("diffusers"), str(config["_class_name"])).from_config(config)
    except (TypeError, ValueError, LookupError) as error:
        raise SDGError(f"{folder / 'config.json'} makes no autoencoder ({error}): fetch it again") from error
    settings = autoencoder.config
    codes = settings.get("vq_embed_dim") or settings["latent_channels"]
    if codes != channels or settings["in_channels"] != 3:
        raise SDGError(
            f"the autoencoder in {folder} makes {codes} channels of {settings['in_channels']}, the prior "
            f"draws {channels} for pictures of 3: choose two that belong together"
        )
    if scaling is None and "scaling_factor" not in config:
        print(
            f"note: {folder / 'config.json'} has no scaling_factor: {settings['scaling_factor']}, diffusers' "
            "own, is taken; give prior.scaling=1 where codes were not scaled"
        )
    scale = float(settings["scaling_factor"] if scaling is None else scaling)
    factor = 2 ** (len(settings["block_out_channels"]) - 1)
    with filled():  # now, whatever it is loaded within
        load_weights(autoencoder, folder)
    return Latents(autoencoder, kind, factor, scale, float(settings.get("shift_factor") or 0))
