"""ADM's UNet, inferred from the names and shapes of its weights."""

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sdg.checkpoints.checkpoint import open_checkpoint
from sdg.checkpoints.places import find_file
from sdg.errors import SDGError
from sdg.networks.unet import ADMUNet


def adm_architecture(
    state: Mapping[str, Tensor], head_channels: int = 64, channels: int = 3
) -> dict[str, Any]:
    """The arguments of :class:`ADMUNet` that a state dict was made with.

    For the layout that follows from them, see docs/networks.md. Dropout leaves no trace in weights.

    Args:
        state: tensors, of which only the shapes are read; meta tensors will do.
        head_channels: channels per attention head, which shapes do not show; 64 in all of ADM's unconditional
            models.
        channels: channels of the images; shapes show only their product with patch².

    Raises:
        SDGError: not ADM's UNet, or a variant that :class:`ADMUNet` does not cover, and how it differs.
    """
    _refuse_relatives(state)
    try:
        base = state["time_embed.0.weight"].shape[1]
        in_channels, out_channels = (
            state[f"{key}.weight"].shape[side] for key, side in (("input_blocks.0.0", 1), ("out.2", 0))
        )
        res_blocks, levels = _depth(state)
        # The first entry of each level: past the first convolution and each earlier level's downsampling.
        entries = [f"input_blocks.{1 + level * (res_blocks + 1)}" for level in range(levels)]
        widths = [state[f"{entry}.0.in_layers.2.weight"].shape[0] for entry in entries]
    except (KeyError, IndexError) as error:
        raise SDGError(
            f"these weights are not those of ADM's UNet ({error} is missing): choose another prior"
        ) from error
    patch = math.isqrt(max(in_channels // channels, 1))
    if channels * patch**2 != in_channels:
        raise SDGError(
            f"this UNet takes {in_channels} channels, which {channels}-channel images do not fold to: "
            f"give the images' channels"
        )
    if any(width % base for width in widths):
        raise SDGError(f"this UNet's levels have {widths} channels, not multiples of its base {base}")
    attention = [2**level for level, entry in enumerate(entries) if f"{entry}.1.qkv.weight" in state]
    narrow = [widths[level] for level in range(levels) if 2**level in attention] + widths[-1:]
    if any(width % head_channels for width in narrow):
        raise SDGError(
            f"heads of {head_channels} channels do not divide this UNet's attention over {min(narrow)}: "
            f"give its head_channels, which weights do not tell"
        )
    return {
        "base_channels": base,
        "res_blocks": res_blocks,
        "channel_mult": [width // base for width in widths],
        "attention_factors": attention,
        "head_channels": head_channels,
        "in_channels": channels,
        "out_channels": out_channels // patch**2,
        "patch": patch,
        **_later(state),
    }


def adm_unet(path: str | None, head_channels: int = 64, channels: int = 3, **options: Any) -> ADMUNet:
    """An :class:`ADMUNet` with the architecture of the weights at ``path``, which are not loaded yet.

    Args:
        head_channels, channels: as for :func:`adm_architecture`.
        options: settings that leave no trace in the weights, such as ``checkpointing``.
    """
    outline = open_checkpoint(find_file(path, "prior.checkpoint")).outline
    return ADMUNet(**adm_architecture(outline, head_channels, channels), **options)


def _depth(state: Mapping[str, Tensor]) -> tuple[int, int]:
    """Residual blocks per level, and levels: on the way up, all but the last end with an upsampling block."""
    pattern = re.compile(r"output_blocks\.(\d+)\.(\d+)\.in_layers\.2\.weight")
    blocks = [match for key in state if (match := pattern.fullmatch(key))]
    count = 1 + max((int(match[1]) for match in blocks), default=-1)
    ups = sorted(int(match[1]) for match in blocks if match[2] != "0")
    res_blocks, levels = (ups[0] if ups else count - 1), len(ups) + 1
    if count < 2 or (res_blocks + 1) * levels != count:
        raise KeyError("output_blocks")
    return res_blocks, levels


def _refuse_relatives(state: Mapping[str, Tensor]) -> None:
    if "label_emb.weight" in state:
        raise SDGError(
            "this UNet wants a class label, guidance steers unconditional ones: choose another file"
        )
    if any(key.endswith((".op.weight", ".0.conv.weight")) for key in state):
        raise SDGError(
            "this UNet resamples by convolutions, ADM's by residual blocks: choose another file, or convert "
            "it to a UNet2DModel of diffusers"
        )


def _later(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the same authors' later models (consistency-models) do otherwise; nothing for ADM's."""
    first = "input_blocks.1.0"
    emb, out = (state[f"{first}.{key}.weight"] for key in ("emb_layers.1", "out_layers.0"))
    if len(emb) not in (len(out), 2 * len(out)):
        raise SDGError("this UNet's time embedding fits neither norms nor sums: choose another file")
    later: dict[str, Any] = {} if len(emb) == 2 * len(out) else {"scale_shift": False}
    # Their attention projects pictures, not rows of positions.
    squares = any(key.endswith(".qkv.weight") and value.ndim == 4 for key, value in state.items())
    return later | ({"attention_order": "qkv"} if squares else {})
