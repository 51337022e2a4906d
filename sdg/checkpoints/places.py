"""Where weights are looked for: a file, a diffusers folder, open_clip's cache, or ours."""

import os
from pathlib import Path

from sdg.errors import SDGError

DIFFUSERS_WEIGHTS = "diffusion_pytorch_model"
"""How the names of diffusers' files begin."""
_DIFFUSERS_ENDINGS = (
    ".safetensors",
    ".safetensors.index.json",
    ".fp16.safetensors",
    ".safetensors.index.fp16.json",
    ".bf16.safetensors",
    ".safetensors.index.bf16.json",
    ".bin",
    ".fp16.bin",
)
"""How they end, the best first; an index lists the parts of a model in several files."""
OPEN_CLIP = "open_clip:"
"""Prefix of what is not a path but an open_clip model: ``open_clip:RN50x16/openai``."""


def cache_folder() -> Path:
    """Where downloads go: ``$SDG_CACHE``, or ``~/.cache/sdg``."""
    return Path(os.environ.get("SDG_CACHE") or Path.home() / ".cache" / "sdg")


def find_file(path: str | Path | None, setting: str | None = None) -> Path:
    """The file that holds the weights named by ``path``; see :func:`open_checkpoint` for what can be named.

    Args:
        setting: the command-line setting that gives the path, for messages.

    Raises:
        SDGError: there is no such file.
    """
    remedy = "give the path of one" if setting is None else f"give {setting}=PATH"
    named, path = path, chosen(path)[0]
    if not path:
        raise SDGError(f"no checkpoint is named: {remedy}")
    if str(path).startswith(OPEN_CLIP):
        return _in_open_clip_cache(str(path).removeprefix(OPEN_CLIP), setting or "encoder.clip_checkpoint")
    path = Path(path).expanduser()
    if os.path.isdir(path):
        return _in_diffusers_folder(str(named))
    if not os.path.isfile(path):  # unlike pathlib's, never raises, whatever the path
        from sdg.checkpoints.catalogue import checklist_of

        listed = f" ({checklist_of(path)} lists what is needed)" if setting else ""
        raise SDGError(f"there is no checkpoint at {path}: train it, or {remedy}{listed}")
    return path


def chosen(path: str | Path | None) -> tuple[str | None, str | None]:
    """A path without the ``@ENTRY`` that may follow it, and that entry: see :func:`open_checkpoint`."""
    text = None if path is None else str(path)
    if not text or "@" not in os.path.basename(text) or os.path.exists(os.path.expanduser(text)):
        return text, None
    text, _, entry = text.rpartition("@")
    return text, entry or None


def model_folder(path: str | Path) -> Path:
    """The folder of a diffusers UNet: ``path`` itself, or the one for it in the folder of a pipeline.

    Of a training's ``unet`` and ``unet_ema``, the latter is the average, and taken unless ``@raw`` is asked.
    """
    text, entry = chosen(path)
    folder = Path(text or "").expanduser()
    if (folder / "config.json").is_file():
        return folder
    names = ("unet",) if entry == "raw" else ("unet_ema", "unet")
    return next((folder / name for name in names if (folder / name).is_dir()), folder)


def _in_diffusers_folder(path: str) -> Path:
    folder = model_folder(path)
    for ending in _DIFFUSERS_ENDINGS:
        if (file := folder / f"{DIFFUSERS_WEIGHTS}{ending}").is_file():
            return file
    raise SDGError(
        f"{path} is a folder without {DIFFUSERS_WEIGHTS}.safetensors: give the path of a file, or of a "
        f"folder that diffusers saved"
    )


def _in_open_clip_cache(model: str, setting: str) -> Path:
    """The file that open_clip itself would load, with no network access."""
    import open_clip

    name, _, tag = model.partition("/")
    name = name.removesuffix("-quickgelu")  # another activation, the same weights
    known = open_clip.pretrained.get_pretrained_cfg(name, tag)
    if not known:
        tags = open_clip.list_pretrained_tags_by_model(name)
        if not tags:
            raise SDGError(
                f"open_clip knows no weights for {name!r}: write for example open_clip:RN50x16/openai"
            )
        raise SDGError(f"open_clip has no weights {tag!r} for {name}: choose among {', '.join(tags)}")
    folder, url = Path.home() / ".cache" / "clip", known.get("url")
    if url and (file := folder / Path(url).name).is_file():
        return file
    if repository := known.get("hf_hub", "").rstrip("/"):
        from huggingface_hub import try_to_load_from_cache

        for weights in ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"):
            if isinstance(found := try_to_load_from_cache(repository, weights), str):
                return Path(found)
    from sdg.checkpoints.catalogue import card_of

    card = card_of(f"{OPEN_CLIP}{model}")
    get = f"sdg weights get {card.name} to " if card and tag == "openai" else ""
    fetch = f"{get}fetch {url} to {folder}" if url else "fetch it with open_clip where there is a network"
    raise SDGError(f"open_clip's cache does not hold {model}: {fetch}, or give {setting}=PATH")
