"""The weights that a group of settings names: in a file, or in a public folder that is fetched by file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdg.checkpoints.download import fetch, locate, note_cached
from sdg.checkpoints.places import cache_folder, chosen, find_file
from sdg.errors import SDGError


def located_folder(
    path: str | None,
    url: str | None = None,
    files: Mapping[str, str | None] | None = None,
    download: bool = False,
) -> str | None:
    """The folder of a model: ``path`` if it is there, else its place in the cache.

    Without ``download`` no connection is ever made.

    Args:
        path: may end in ``@raw``, as :func:`~sdg.checkpoints.places.model_folder` takes it.
        url: address of the folder whose ``files`` are to be fetched.
        files: names below both, with the SHA-256 that each must have, if it is known.

    Raises:
        SDGError: the model is in neither place, or could not be fetched.
    """
    place = chosen(path)[0]
    if url is None or not files or (place and Path(place).expanduser().is_dir()):
        return path
    # Addresses end in NAME/resolve/main.
    cached = cache_folder() / (Path(place).name if place else url.split("/")[-3])
    missing = [name for name in files if not (cached / name).is_file()]
    if missing and not download:
        raise SDGError(
            f"there is no folder at {path}: give prior.checkpoint=FOLDER, or add prior.download=true to "
            f"fetch {len(missing)} files from {url} to {cached}"
        )
    for name in missing:
        (cached / name).parent.mkdir(parents=True, exist_ok=True)
        fetch(f"{url}/{name}", cached / name, files[name])
    if not missing:
        note_cached(path, cached)
    return str(cached)


def locate_own(model: Mapping[str, Any], setting: str = "prior.checkpoint") -> Path:
    """The weight file of the settings of a group: conf/prior, conf/generator.

    Raises:
        SDGError: it is not there, or could not be fetched.
    """
    path, url, download = model["checkpoint"], model.get("url"), model.get("download", False)
    if model.get("files"):
        return find_file(located_folder(path, url, model["files"], download), setting)
    prefix = model.get("prefix")
    path = f"{path}@{prefix}" if path and prefix else path
    return locate(path, url, model.get("sha256"), download, setting)
