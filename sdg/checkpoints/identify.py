"""Which network a weight file is for, and which group of the configuration takes it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from sdg.checkpoints.adm import adm_architecture
from sdg.checkpoints.known import ENCODERS, GENERATORS, PRIORS, REFINEMENT
from sdg.checkpoints.stylegan2 import stylegan2_architecture
from sdg.checkpoints.time_resnet import time_resnet_architecture
from sdg.checkpoints.time_vit import time_vit_architecture
from sdg.checkpoints.wrappers import parts_of
from sdg.errors import SDGError
from sdg.networks.refined import RefinedUNet
from sdg.networks.stylegan2 import StyleGAN2
from sdg.networks.time_clip import TimeResNet
from sdg.networks.unet import ADMUNet


class Identity(NamedTuple):
    """What a state dict was recognised as."""

    name: str
    fits: str
    """Command-line words that load it; FILE stands for its path."""
    network: nn.Module | None = None
    """The network it is for, on the meta device; None if only its kind is known."""
    arguments: Mapping[str, Any] = {}
    """Arguments of its constructor."""
    assumed: str = "nothing"
    """What shapes do not determine."""


def identify(state: Mapping[str, Tensor], quick_gelu: bool | None = None) -> Identity | None:
    """Recognise a state dict, or a network in it, by names and shapes; None if it is of no known kind.

    Args:
        quick_gelu: whether a CLIP was trained with QuickGELU; None if that is unknown.

    Raises:
        SDGError: a variant of a known network that cannot be loaded, and why.
    """
    if any(key.startswith(_AUTOENCODERS) for key in state):
        raise SDGError("these weights draw in the space of an autoencoder, sdg steers pixels: choose another")
    for part in parts_of(state):
        for keys, recognise in _KINDS:
            if keys <= part.keys():
                return _clip(part, quick_gelu) if recognise is _clip else recognise(part)
    return None


def describe(state: Mapping[str, Tensor]) -> str:
    """What a state dict is for, in a few words that can end an error message."""
    try:
        found = identify(state)
    except SDGError as error:
        return str(error)
    if found is None:
        return f"its {len(state)} tensors ({', '.join(sorted(state)[:2])}, …) are of no network known here"
    return f"it holds the weights of a {found.name}: use {found.fits}"


def _unet(state: Mapping[str, Tensor]) -> Identity:
    arguments = adm_architecture(state)
    group = next((group for group, known in PRIORS.items() if known == arguments), "adm")
    with torch.device("meta"):
        network = ADMUNet(**arguments)
    fits = f"prior={group} prior.checkpoint=FILE"
    if group == "lsun_bedroom":
        fits += " (or lsun_cat, lsun_horse, lsun_horse_nodropout)"
    if group == "edm_lsun_bedroom":
        fits += " (or edm_lsun_cat)"
    inside = "heads inside q, k, v" if arguments.get("attention_order") else "q, k, v split inside each"
    assumed = f"64 channels per attention head, {inside}, images of 3 channels"
    return Identity("UNet of ADM", fits, network, arguments, assumed)


def _refined(state: Mapping[str, Tensor]) -> Identity:
    inner = _unet(
        {key.removeprefix("unet."): value for key, value in state.items() if key.startswith("unet.")}
    )
    unet = cast(ADMUNet, inner.network)
    width, both = state["enter.weight"].shape[:2]
    sizes = {
        "patch": math.isqrt(both // (unet.in_channels + unet.out_channels)),
        "width": width,
        "depth": sum(key.startswith("layers.") and key.endswith(".weight") for key in state),
    }
    with torch.device("meta"):
        network = RefinedUNet(unet, **sizes)
    fits = "a prior= whose denoiser.network has these sizes, as conf/prior/toyfaces.yaml"
    if inner.arguments == PRIORS["toyfaces"] and sizes == REFINEMENT:
        fits = "prior=toyfaces prior.checkpoint=FILE"
    arguments = {"unet": inner.arguments, **sizes}
    return Identity("UNet of ADM, refined", fits, network, arguments, inner.assumed)


def _resnet(state: Mapping[str, Tensor]) -> Identity:
    arguments = time_resnet_architecture(state)
    with torch.device("meta"):
        network = TimeResNet(**arguments)
    assumed = "64 channels per head of the attention pool"
    return Identity("time-dependent encoder", _takes(arguments, "rn50x16"), network, arguments, assumed)


def _vit(state: Mapping[str, Tensor]) -> Identity:
    from sdg.networks.time_vit import TimeViT  # takes seconds to import

    arguments = time_vit_architecture(state)
    last = arguments["layers"]
    with torch.device("meta"):
        network = TimeViT(**arguments, stages=[last * k // 4 for k in range(5)])
    assumed = "64 channels per head, QuickGELU, and nothing of the stages"
    return Identity("time-dependent encoder", _takes(arguments, "vit_b_32"), network, arguments, assumed)


def _generator(state: Mapping[str, Tensor]) -> Identity:
    arguments = stylegan2_architecture(state)
    with torch.device("meta"):
        network = StyleGAN2(**arguments)
    fits = _takes(arguments, "stylegan2_256", "generator", GENERATORS)
    return Identity("StyleGAN2 generator", f"method=stylegan_clip {fits}", network, arguments)


def _takes(
    arguments: Mapping[str, Any],
    nearest: str,
    kind: str = "encoder",
    groups: Mapping[str, Mapping[str, Any]] = ENCODERS,
) -> str:
    """Words that select the group with these arguments, else ``nearest`` and what differs."""
    group = next((group for group, known in groups.items() if known == arguments), nearest)
    others = [key for key, value in arguments.items() if groups[group][key] != value]
    settings = [f"{kind}.network.{key}={arguments[key]}".replace(" ", "") for key in others]
    return " ".join([f"{kind}={group} {kind}.checkpoint=FILE", *settings])


def _clip(state: Mapping[str, Tensor], quick_gelu: bool | None = None) -> Identity:
    from sdg.checkpoints.clip import clip_names, clip_words, public_clip  # takes seconds to import

    names = clip_names(state)
    if not names:
        return Identity("CLIP", "encoder.clip_checkpoint=FILE with the encoder it was trained as")
    quick = [name for name in names if name.endswith("-quickgelu")]
    plain = [name for name in names if name not in quick]
    # OpenAI's are the most frequent.
    name = (quick + plain if quick_gelu is not False else plain + quick)[0]
    with torch.device("meta"):
        network = public_clip(name)
    assumed = "nothing"
    if quick_gelu is None and len(names) > 1:
        assumed = f"QuickGELU, as OpenAI's have; otherwise {clip_words(plain[0])}"
    return Identity(f"CLIP ({' or '.join(names)})", clip_words(name), network, {}, assumed)


def _diffusers(state: Mapping[str, Tensor]) -> Identity:
    return Identity(
        "UNet of diffusers", "prior=diffusers prior.checkpoint=FOLDER, the one with its config.json"
    )


_AUTOENCODERS = ("first_stage_model.", "cond_stage_model.")
"""Beginnings of names in files of latent diffusion."""

_KINDS: tuple[tuple[set[str], Callable[[Mapping[str, Tensor]], Identity]], ...] = (
    ({"time_embed.0.weight", "input_blocks.0.0.weight", "out.2.weight"}, _unet),
    ({"unet.input_blocks.0.0.weight", "enter.weight", "leave.weight"}, _refined),
    ({"visual_frozen.0.weight", "emb_layers.1.weight"}, _resnet),
    ({"visual.class_embedding", "emb_layers.1.weight"}, _vit),
    ({"style.1.weight", "input.input", "to_rgb1.bias"}, _generator),
    ({"visual.conv1.weight", "text_projection", "token_embedding.weight"}, _clip),
    ({"conv_in.weight", "time_embedding.linear_1.weight", "conv_out.weight"}, _diffusers),
)
"""Names that identify each kind, and what determines the rest."""
