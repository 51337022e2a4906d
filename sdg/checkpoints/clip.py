"""Public CLIPs: open_clip's architectures by name, and the names that fit a file of weights."""

from collections.abc import Mapping
from typing import Any

import open_clip
from open_clip.model import CLIP as OpenCLIP
from torch import Tensor

from sdg.checkpoints.time_resnet import count_blocks
from sdg.errors import SDGError
from sdg.networks.clip import CLIP
from sdg.networks.tokenizer import StrictTokenizer


def public_clip(name: str) -> CLIP:
    """A CLIP of one of open_clip's architectures, with its tokenizer and without its weights.

    Nothing is fetched: load the weights from a file, or from ``open_clip:NAME/TAG``.

    Args:
        name: open_clip's name for it. OpenAI's weights need the one that ends in ``-quickgelu``.

    Raises:
        SDGError: open_clip has no such model, or it is not built like OpenAI's.
    """
    if name not in open_clip.list_models():
        close = [known for known in open_clip.list_models() if known[:4].lower() == name[:4].lower()]
        raise SDGError(f"open_clip has no model {name}: choose {', '.join(close) or 'RN50x16-quickgelu'}")
    settings = open_clip.get_model_config(name)
    text = settings.get("text_cfg", {})
    if settings.keys() - {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"} or "hf_model_name" in text:
        raise SDGError(f"{name} is not made as OpenAI's CLIPs are: choose one that is, as RN50x16-quickgelu")
    model = OpenCLIP(**settings)
    tokenizer = StrictTokenizer(open_clip.get_tokenizer(name), model.context_length)
    return CLIP(model, tokenizer, settings["vision_cfg"]["image_size"])


def clip_names(state: Mapping[str, Tensor]) -> list[str]:
    """The open_clip models with the shapes of ``state``; the activation leaves no trace in shapes."""
    sizes = _sizes_of(state)
    return [name for name in open_clip.list_models() if _sizes_by(open_clip.get_model_config(name)) == sizes]


def _sizes_of(state: Mapping[str, Tensor]) -> tuple[Any, ...]:
    text_width, embed_dim = state["text_projection"].shape
    vocabulary, context = len(state["token_embedding.weight"]), len(state["positional_embedding"])
    if "visual.class_embedding" in state:
        layers: Any = count_blocks(state, "visual.transformer.resblocks")
        width, patch = len(state["visual.class_embedding"]), state["visual.conv1.weight"].shape[-1]
        side = patch * round((len(state["visual.positional_embedding"]) - 1) ** 0.5)
    else:
        layers = [count_blocks(state, f"visual.layer{i}") for i in (1, 2, 3, 4)]
        width, patch = len(state["visual.conv3.weight"]), None
        side = 32 * round((len(state["visual.attnpool.positional_embedding"]) - 1) ** 0.5)
    return embed_dim, text_width, vocabulary, context, layers, width, patch, side


def _sizes_by(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    text, vision = settings.get("text_cfg", {}), settings.get("vision_cfg", {})
    text_sizes = (text.get("width"), text.get("vocab_size"), text.get("context_length"))
    vision_sizes = (
        vision.get("layers"),
        vision.get("width"),
        vision.get("patch_size"),
        vision.get("image_size"),
    )
    return (settings.get("embed_dim"), *text_sizes, *vision_sizes)
