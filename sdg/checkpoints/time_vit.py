"""The time-dependent vision transformer, inferred from the names and shapes of its weights."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sdg.checkpoints.time_resnet import count_blocks
from sdg.errors import SDGError


def time_vit_architecture(state: Mapping[str, Tensor], head_width: int = 64) -> dict[str, Any]:
    """The arguments of :class:`TimeViT` that a state dict was made with, except its activation and stages.

    Args:
        state: tensors, of which only the shapes are read; meta tensors will do.
        head_width: channels per head, which shapes do not show; CLIP's towers have 64.

    Raises:
        SDGError: the weights are not such an encoder's.
    """
    try:
        width, _, patch, _ = state["visual.conv1.weight"].shape
        places = len(state["visual.positional_embedding"])
        time_dim, sinusoid_dim = state["time_embed.0.weight"].shape
        output_dim = state["visual.proj"].shape[1]
    except (KeyError, ValueError, IndexError) as error:
        raise SDGError(
            f"these weights are not those of a time-dependent encoder ({error} is missing): "
            f"choose another file"
        ) from error
    if width % head_width or math.isqrt(places - 1) ** 2 != places - 1:
        raise SDGError(
            f"{places} tokens of {width} channels are no square image seen by heads of {head_width}: "
            f"give head_width, which weights do not tell"
        )
    return {
        "patch": patch,
        "width": width,
        "layers": count_blocks(state, "visual.transformer.resblocks"),
        "heads": width // head_width,
        "output_dim": output_dim,
        "image_size": patch * math.isqrt(places - 1),
        "sinusoid_dim": sinusoid_dim,
        "time_dim": time_dim,
    }
