"""Our UNet as other libraries implement it, with the same weights."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from sdg.networks.refined import RefinedUNet
from sdg.networks.unet import ADMUNet, AttentionBlock, ResBlock

DIFFUSERS, AZULA = "diffusers", "azula"
Make = Callable[[ADMUNet, Mapping[str, Any]], nn.Module]


class Rival(nn.Module):
    """Another library's UNet in patches: x_t (B, C, H, W) and t (B,) or (1,) -> the output of ours."""

    def __init__(self, model: nn.Module, patch: int):
        super().__init__()
        self.model, self.patch = model, patch
        self.eval().requires_grad_(False)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        h = F.pixel_unshuffle(x_t, self.patch) if self.patch > 1 else x_t
        h = self.model(h, t.expand(len(x_t)))
        h = getattr(h, "sample", h)
        return F.pixel_shuffle(h, self.patch) if self.patch > 1 else h


def rival(network: nn.Module, settings: Mapping[str, Any], make: Make) -> nn.Module:
    """``network`` with another library's UNet; the rest of a refined one stays ours.

    Args:
        settings: those that ``network`` was built with.
        make: builds the other UNet: :func:`diffusers_unet` or :func:`azula_unet`.
    """
    if not isinstance(network, RefinedUNet):
        assert isinstance(network, ADMUNet)
        return Rival(make(network, settings), network.patch)
    refined = copy.deepcopy(network)
    refined.unet = Rival(make(network.unet, settings["unet"]), network.unet.patch)
    return refined


def azula_unet(unet: ADMUNet, settings: Mapping[str, Any]) -> nn.Module:
    """azula's UNet, which is guided-diffusion's code, as in the paper's release; float32 only."""
    from azula.plugins.adm import make_model

    learned = unet.out_channels == 2 * unet.in_channels
    model = make_model(
        learn_var=learned,
        image_channels=unet.in_channels * unet.patch**2,
        image_size=(size := 2 ** len(settings["channel_mult"])),  # azula names attention levels by their side
        attention_resolutions=[size // factor for factor in settings["attention_factors"]],
        channel_mult=tuple(settings["channel_mult"]),
        num_channels=unet.base_channels,
        num_res_blocks=settings["res_blocks"],
        num_head_channels=settings["head_channels"],
        use_scale_shift_norm=True,
        resblock_updown=True,
    )
    model.backbone.load_state_dict(unet.state_dict())
    return model.backbone


def diffusers_unet(unet: ADMUNet, settings: Mapping[str, Any]) -> nn.Module:
    """diffusers' UNet2DModel."""
    from diffusers import UNet2DModel

    mult = settings["channel_mult"]
    attends = [2**depth in settings["attention_factors"] for depth in range(len(mult))]
    down = ["AttnDownBlock2D" if attention else "ResnetDownsampleBlock2D" for attention in attends]
    up = ["AttnUpBlock2D" if attention else "ResnetUpsampleBlock2D" for attention in reversed(attends)]
    model = UNet2DModel(
        in_channels=unet.in_channels * unet.patch**2,
        out_channels=unet.out_channels * unet.patch**2,
        block_out_channels=[unet.base_channels * m for m in mult],
        layers_per_block=settings["res_blocks"],
        down_block_types=down,
        up_block_types=up,
        attention_head_dim=settings["head_channels"],
        freq_shift=0,
        flip_sin_to_cos=True,
        resnet_time_scale_shift="scale_shift" if settings.get("scale_shift", True) else "default",
        downsample_type="resnet",
        upsample_type="resnet",
        norm_num_groups=32,
        attn_norm_num_groups=32,
    )
    model.load_state_dict(dict(_state(unet, model)))
    return model


def _state(unet: ADMUNet, model: Any) -> Iterator[tuple[str, Tensor]]:
    """The weights of ``unet`` under the names they have in ``model``."""
    names = {module: name for name, module in model.named_modules()}
    blocks = [*model.down_blocks, model.mid_block, *model.up_blocks]
    theirs = [
        resnet
        for block in blocks
        for resnet in [
            *block.resnets,
            *(getattr(block, "downsamplers", None) or []),
            *(getattr(block, "upsamplers", None) or []),
        ]
    ]
    ours = [module for module in unet.modules() if isinstance(module, ResBlock)]
    pairs: list[tuple[nn.Module, nn.Module]] = [
        (unet.input_blocks[0][0], model.conv_in),
        (unet.time_embed[0], model.time_embedding.linear_1),
        (unet.time_embed[2], model.time_embedding.linear_2),
        (unet.out[0], model.conv_norm_out),
        (unet.out[2], model.conv_out),
    ]
    for own, their in zip(ours, theirs, strict=True):
        pairs += [
            (own.in_layers[0], their.norm1),
            (own.in_layers[2], their.conv1),
            (own.emb_layers[1], their.time_emb_proj),
            (own.out_layers[0], their.norm2),
            (own.out_layers[3], their.conv2),
        ]
        if their.conv_shortcut is not None:
            pairs.append((own.skip_connection, their.conv_shortcut))
    for own, their in pairs:
        for key, value in own.state_dict().items():
            yield f"{names[their]}.{key}", value

    looks = [module for module in unet.modules() if isinstance(module, AttentionBlock)]
    seen = [attention for block in blocks for attention in getattr(block, "attentions", [])]
    for own, their in zip(looks, seen, strict=True):
        for key, value in own.norm.state_dict().items():
            yield f"{names[their.group_norm]}.{key}", value
        for key, value in own.proj_out.state_dict().items():
            yield f"{names[their.to_out[0]]}.{key}", value.flatten(1) if value.ndim > 1 else value
        for key, value in own.qkv.state_dict().items():
            legacy = own.order == "heads"
            split = value.unflatten(0, (own.heads, 3, -1) if legacy else (3, own.heads, -1)).unbind(
                int(legacy)
            )
            for part, layer in zip(split, (their.to_q, their.to_k, their.to_v), strict=True):
                part = part.flatten(0, 1)
                yield f"{names[layer]}.{key}", part.flatten(1) if part.ndim > 1 else part
