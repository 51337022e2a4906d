"""Where weights are looked for: a file, a diffusers folder, open_clip's cache, or ours."""

import os
from pathlib import Path

from sdg.errors import SDGError

DIFFUSERS_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
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
    path = chosen(path)[0]
    if not path:
        raise SDGError(f"no checkpoint is named: {remedy}")
    if str(path).startswith(OPEN_CLIP):
        return _in_open_clip_cache(str(path).removeprefix(OPEN_CLIP), setting or "encoder.clip_checkpoint")
    path = Path(path).expanduser()
    if os.path.isdir(path):
        return _in_diffusers_folder(path)
    if not os.path.isfile(path):  # unlike pathlib's, never raises, whatever the path
        raise SDGError(f"there is no checkpoint at {path}: train it, or {remedy}")
    return path


def chosen(path: str | Path | None) -> tuple[str | None, str | None]:
    """A path without the ``@ENTRY`` that may follow it, and that entry: see :func:`open_checkpoint`."""
    text = None if path is None else str(path)
    if not text or "@" not in os.path.basename(text) or os.path.exists(os.path.expanduser(text)):
        return text, None
    text, _, entry = text.rpartition("@")
    return text, entry or None


def model_folder(path: str | Path) -> Path:
    """The folder of a diffusers UNet: ``path`` itself, or ``unet`` in the folder of a pipeline."""
    path = Path(path).expanduser()
    return path / "unet" if (path / "model_index.json").is_file() and (path / "unet").is_dir() else path


def _in_diffusers_folder(path: Path) -> Path:
    for name in DIFFUSERS_WEIGHTS:
        if (file := model_folder(path) / name).is_file():
            return file
    raise SDGError(
        f"{path} is a folder without {DIFFUSERS_WEIGHTS[0]}: give the path of a file, or of a folder that "
        f"diffusers saved"
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
    fetch = f"fetch {url} to {folder}" if url else "fetch it with open_clip where there is a network"
    raise SDGError(f"open_clip's cache does not hold {model}: {fetch}, or give {setting}=PATH")
