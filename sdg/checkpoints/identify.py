"""Which network a weight file is for, and which group of the configuration takes it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from sdg.checkpoints.adm import adm_architecture
from sdg.checkpoints.stylegan2 import stylegan2_architecture
from sdg.checkpoints.time_resnet import time_resnet_architecture
from sdg.checkpoints.time_vit import time_vit_architecture
from sdg.errors import SDGError
from sdg.networks.refined import RefinedUNet
from sdg.networks.stylegan2 import StyleGAN2
from sdg.networks.time_clip import TimeResNet
from sdg.networks.unet import ADMUNet

_LSUN: dict[str, Any] = {
    "base_channels": 256,
    "res_blocks": 2,
    "channel_mult": [1, 1, 2, 2, 4, 4],
    "attention_factors": [8, 16, 32],
    "head_channels": 64,
    "in_channels": 3,
    "out_channels": 6,
    "patch": 1,
}
_RN50X16: dict[str, Any] = {
    "layers": [6, 8, 18, 8],
    "width": 96,
    "heads": 48,
    "output_dim": 768,
    "image_size": 256,
    "sinusoid_dim": 128,
    "time_dim": 512,
}
_VIT_B_32: dict[str, Any] = {
    "patch": 32,
    "width": 768,
    "layers": 12,
    "heads": 12,
    "output_dim": 512,
    "image_size": 256,
    "sinusoid_dim": 128,
    "time_dim": 512,
}
_REFINEMENT = {"patch": 2, "width": 64, "depth": 2}
PRIORS: dict[str, dict[str, Any]] = {
    "lsun_bedroom": _LSUN,
    "ffhq": _LSUN | {"base_channels": 128, "res_blocks": 1, "attention_factors": [16]},
    "toyfaces": _LSUN
    | {
        "base_channels": 128,
        "res_blocks": 1,
        "channel_mult": [1, 1],
        "attention_factors": [2],
        "out_channels": 3,
        "patch": 4,
    },
}
"""Architectures of the UNets in ``conf/prior``; those for LSUN share one."""
ENCODERS: dict[str, dict[str, Any]] = {
    "rn50x16": _RN50X16,
    "rn50": _RN50X16 | {"layers": [3, 4, 6, 3], "width": 64, "heads": 32, "output_dim": 1024},
    "toyfaces": {
        "layers": [2, 2, 2, 2],
        "width": 24,
        "heads": 12,
        "output_dim": 128,
        "image_size": 64,
        "sinusoid_dim": 64,
        "time_dim": 128,
    },
    "vit_b_32": _VIT_B_32,
    "vit_b_16": _VIT_B_32 | {"patch": 16},
}
"""Architectures of the groups in ``conf/encoder``."""
_PUBLIC_GENERATOR: dict[str, Any] = {
    "image_size": 256,
    "latent_dim": 512,
    "mapping_layers": 8,
    "channel_max": 512,
    "channel_multiplier": 2,
}
GENERATORS: dict[str, dict[str, Any]] = {
    "stylegan2_256": _PUBLIC_GENERATOR,
    "stylegan2_1024": _PUBLIC_GENERATOR | {"image_size": 1024},
    "toyfaces": {
        "image_size": 64,
        "latent_dim": 128,
        "mapping_layers": 4,
        "channel_max": 192,
        "channel_multiplier": 0.125,
    },
}
"""Architectures of the groups in ``conf/generator``."""


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


def identify(state: Mapping[str, Tensor]) -> Identity | None:
    """Recognise a state dict by its names and shapes; None if it is of no known kind.

    Raises:
        SDGError: a variant of a known network that cannot be loaded, and why.
    """
    plain = {key.removeprefix("model."): value for key, value in state.items()}
    for keys, recognise in _KINDS:
        for candidate in (state, plain):
            if keys <= candidate.keys():
                return recognise(candidate)
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
    assumed = "64 channels per attention head, q, k, v split inside each, images of 3 channels"
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
    if inner.arguments == PRIORS["toyfaces"] and sizes == _REFINEMENT:
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


def _clip(state: Mapping[str, Tensor]) -> Identity:
    from sdg.checkpoints.clip import clip_names, public_clip  # takes seconds to import

    names = clip_names(state)
    if not names:
        return Identity("CLIP", "encoder.clip_checkpoint=FILE with the encoder it was trained as")
    group = names[0].lower().removesuffix("-quickgelu").replace("-", "_")
    nearest = "vit_b_32" if "visual.class_embedding" in state else "rn50x16"
    fits = f"encoder={group if group in ENCODERS else nearest} encoder.clip_checkpoint=FILE"
    if group not in ENCODERS:
        fits += f" encoder.clip.name={names[0]}"
    with torch.device("meta"):
        network = public_clip(names[0])
    assumed = "nothing but the activation: OpenAI's is QuickGELU"
    return Identity(f"CLIP ({' or '.join(names)})", fits, network, {}, assumed)


def _diffusers(state: Mapping[str, Tensor]) -> Identity:
    return Identity(
        "UNet of diffusers", "prior=diffusers prior.checkpoint=FOLDER, the one with its config.json"
    )


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
