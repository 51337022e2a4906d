"""StyleGAN2's generator, inferred from the names and shapes of its weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sdg.checkpoints.time_resnet import count_blocks
from sdg.errors import SDGError


def stylegan2_architecture(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of :class:`StyleGAN2` that a state dict was made with.

    Args:
        state: tensors, of which only the shapes are read; meta tensors will do.

    Raises:
        SDGError: the weights are not such a generator's.
    """
    levels = count_blocks(state, "to_rgbs")
    try:
        latent_dim = state["style.1.weight"].shape[1]
        layers = ["conv1", *(f"convs.{2 * level}" for level in range(levels))]
        widths = [state[f"{layer}.conv.weight"].shape[1] for layer in layers]
    except (KeyError, IndexError) as error:
        raise SDGError(
            f"these weights are not those of a StyleGAN2 generator ({error} is missing): choose another file"
        ) from error
    size = 4 * 2**levels
    return {
        "image_size": size,
        "latent_dim": latent_dim,
        "mapping_layers": count_blocks(state, "style"),
        "channel_max": max(widths),
        "channel_multiplier": widths[-1] * size / 2**14,
    }
