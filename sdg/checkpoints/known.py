"""The architectures of the networks that groups of the configuration take."""

from typing import Any

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
REFINEMENT = {"patch": 2, "width": 64, "depth": 2}
"""What conf/prior/toyfaces adds to its UNet."""
PRIORS: dict[str, dict[str, Any]] = {
    "lsun_bedroom": _LSUN,
    "edm_lsun_bedroom": _LSUN | {"out_channels": 3, "scale_shift": False, "attention_order": "qkv"},
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
