"""Public CLIPs: open_clip's architectures by name, and the names that fit a file of weights."""

from collections.abc import Mapping
from typing import Any

import open_clip
from open_clip.model import CLIP as OpenCLIP
from torch import Tensor

from sdg.checkpoints.known import ENCODERS
from sdg.checkpoints.places import OPEN_CLIP
from sdg.checkpoints.time_resnet import count_blocks
from sdg.errors import SDGError
from sdg.networks.clip import CLIP
from sdg.networks.pixels import CLIP_MEAN, CLIP_STD
from sdg.networks.tokenizer import StrictTokenizer


def public_clip(name: str, checkpoint: str | None = None) -> CLIP:
    """A CLIP of one of open_clip's architectures, with its tokenizer and without its weights.

    Nothing is fetched: load the weights from a file, or from ``open_clip:NAME/TAG``.

    Args:
        name: open_clip's name for it. OpenAI's weights need the one that ends in ``-quickgelu``.
        checkpoint: the weights that will be loaded. For ``open_clip:NAME/TAG``, open_clip knows with which
            activation and pixels they were trained: that decides, and a name that says otherwise is told.

    Raises:
        SDGError: open_clip has no such model, or it is not built like OpenAI's.
    """
    settings = _settings(name)
    trained = _training(checkpoint)
    quick = bool(trained.get("quick_gelu")) if trained else settings.get("quick_gelu", False)
    if quick != settings.get("quick_gelu", False):
        right, wrong = ("QuickGELU", "GELU") if quick else ("GELU", "QuickGELU")
        print(f"note: {checkpoint} was trained with {right}, which is used instead of {name}'s {wrong}")
    try:
        model = OpenCLIP(**settings | {"quick_gelu": quick})
        tokenizer = StrictTokenizer(open_clip.get_tokenizer(name), model.context_length)
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        raise SDGError(
            f"open_clip cannot make {name} ({error}): choose another, as RN50x16-quickgelu"
        ) from error
    mean, std = trained.get("mean", CLIP_MEAN), trained.get("std", CLIP_STD)
    return CLIP(model, tokenizer, settings["vision_cfg"]["image_size"], mean, std)


def quick_gelu_of(checkpoint: str) -> bool | None:
    """Whether weights named ``open_clip:NAME/TAG`` were trained with QuickGELU; None for any other."""
    trained = _training(checkpoint)
    return bool(trained.get("quick_gelu")) if trained else None


def clip_words(name: str) -> str:
    """Command-line words that load a file (FILE) of this architecture.

    The encoder that is made from it gets 256-px pictures, or CLIP's own size where its patches do not fit.
    """
    settings = _settings(name)
    vision, quick = settings["vision_cfg"], settings.get("quick_gelu", False)
    if vision.keys() & {"timm_model_name", "ls_init_value", "mlp_ratio"}:  # no encoder has such a tower
        features = "features.clip_vit_b_32"
        return f"metrics only: {features}.clip.name={name} {features}.checkpoint=FILE"
    network: dict[str, Any] = {"width": vision["width"], "output_dim": settings["embed_dim"]}
    if isinstance(vision["layers"], list):
        network |= {"layers": vision["layers"], "heads": vision["width"] // 2}
    else:
        layers, patch = vision["layers"], vision["patch_size"]
        network |= {
            "layers": layers,
            "patch": patch,
            "heads": vision["width"] // vision.get("head_width", 64),
        }
        network |= {"stages": [layers * k // 4 for k in range(5)], "quick_gelu": quick}
        network |= {} if 256 % patch == 0 else {"image_size": vision["image_size"]}
    kind = [group for group, known in ENCODERS.items() if ("patch" in known) == ("patch" in network)]
    hidden = {"stages": [0, 3, 6, 9, 12], "quick_gelu": True} if "patch" in network else {}
    differing = {
        group: {key: value for key, value in network.items() if (ENCODERS[group] | hidden)[key] != value}
        for group in kind
        if group != "toyfaces"
    }
    group = min(differing, key=lambda group: len(differing[group]))
    words = [f"encoder={group} encoder.clip_checkpoint=FILE"]
    if differing[group] or not quick:
        words.append(f"encoder.clip.name={name}")
    words += [f"encoder.network.{key}={value}".replace(" ", "") for key, value in differing[group].items()]
    return " ".join(words)


def _settings(name: str) -> dict[str, Any]:
    if name not in open_clip.list_models():
        close = [known for known in open_clip.list_models() if known[:4].lower() == name[:4].lower()]
        raise SDGError(f"open_clip has no model {name}: choose {', '.join(close) or 'RN50x16-quickgelu'}")
    settings: dict[str, Any] = open_clip.get_model_config(name)
    text = settings.get("text_cfg", {})
    strange = settings.keys() - {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"}
    if strange or {"hf_model_name", "hf_tokenizer_name"} & text.keys():
        raise SDGError(f"{name} is not made as OpenAI's CLIPs are: choose one that is, as RN50x16-quickgelu")
    return settings


def _training(checkpoint: str | None) -> dict[str, Any]:
    """What open_clip's table says of weights named ``open_clip:NAME/TAG``; nothing of any other."""
    name, _, tag = str(checkpoint).removeprefix(OPEN_CLIP).partition("/")
    if not str(checkpoint).startswith(OPEN_CLIP):
        return {}
    known: dict[str, Any] = open_clip.pretrained.get_pretrained_cfg(name, tag)
    return known


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
