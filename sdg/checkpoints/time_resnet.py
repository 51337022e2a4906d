"""The time-dependent encoder, inferred from the names and shapes of its weights."""

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sdg.errors import SDGError

_STAGES = ("visual_frozen.10", "visual_frozen.11", "visual_frozen.12", "layer4")


def time_resnet_architecture(state: Mapping[str, Tensor], head_width: int = 64) -> dict[str, Any]:
    """The arguments of :class:`TimeResNet` that a state dict was made with.

    The released encoders (777 tensors for RN50x16) and ours have the same names and shapes, so nothing in the
    weights tells them apart; ours are safetensors whose notes name the command that made them.

    Args:
        state: tensors, of which only the shapes are read; meta tensors will do.
        head_width: channels per head of the attention pool, which shapes do not show; CLIP's towers have 64.

    Raises:
        SDGError: the weights are not such an encoder's.
    """
    try:
        positions, channels = state["attn_pool.positional_embedding"].shape
        time_dim, sinusoid_dim = state["time_embed.0.weight"].shape
        width = len(state["visual_frozen.6.weight"])
        output_dim = len(state["attn_pool.c_proj.weight"])
    except (KeyError, ValueError) as error:
        raise SDGError(
            f"these weights are not those of a time-dependent encoder ({error} is missing): "
            f"choose another file"
        ) from error
    if channels % head_width or math.isqrt(positions - 1) ** 2 != positions - 1:
        raise SDGError(
            f"an attention pool over {positions} positions of {channels} channels does not have heads of "
            f"{head_width}: give head_width, which weights do not tell"
        )
    return {
        "layers": [count_blocks(state, stage) for stage in _STAGES],
        "width": width,
        "heads": channels // head_width,
        "output_dim": output_dim,
        "image_size": 32 * math.isqrt(positions - 1),
        "sinusoid_dim": sinusoid_dim,
        "time_dim": time_dim,
    }


def count_blocks(state: Mapping[str, Tensor], stage: str) -> int:
    """How many numbered blocks there are under a name."""
    pattern = re.compile(re.escape(stage) + r"\.(\d+)\.")
    return len({match[1] for key in state if (match := pattern.match(key))})
