"""How a picture was made: written into its file, and read from there to draw it again."""

import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

import sdg
from sdg.checkpoints.places import find_file
from sdg.errors import SDGError
from sdg.files import file_hash
from sdg.sampling.plan import PlanEntry

_KEY = "sdg"
"""Keyword of the PNG text chunk."""
_WITHOUT_EFFECT = ("drawing.snapshots", "drawing.trace")
"""Settings of a method that a picture does not depend on."""


class Origin(NamedTuple):
    """What a picture depends on: the same origin gives the same picture, on the same machine."""

    method: dict[str, Any]
    """The settings of its method, resolved, with ``${paths.root}`` for where sdg is."""
    contents: dict[str, str]
    """SHA-256 of every file that the method names, by the file's name."""
    entry: PlanEntry
    version: str = sdg.__version__
    """Of sdg."""

    def text(self) -> str:
        """As one line of JSON, without the entry's number, which belongs to its run."""
        entry = {key: value for key, value in self.entry.record().items() if key != "id"}
        parts = {"version": self.version, "entry": entry, "contents": self.contents, "method": self.method}
        # A reference's name need not be UTF-8: in JSON, the replacement reads back as what was replaced.
        return json.dumps(parts, ensure_ascii=False).encode(errors="backslashreplace").decode()

    def config(self, root: Path) -> DictConfig:
        """The configuration that draws the picture, for sdg at ``root``."""
        return OmegaConf.create({"paths": {"root": str(root)}, "method": self.method})


def describer(config: DictConfig, own_prior: bool = False) -> Callable[[PlanEntry], Origin]:
    """The origin of each picture that a configuration draws.

    Args:
        own_prior: whether it is drawn by a prior that is in no file, and so cannot be drawn from its origin.
    """
    settings, files = _method_settings(config), named_files(config)
    if own_prior:
        files["prior in memory"] = "unknown"
    return lambda entry: Origin(settings, files | reference_file_hash(entry), entry)


def reference_file_hash(entry: PlanEntry) -> dict[str, str]:
    """SHA-256 of the entry's reference, by its file's name, if it has one."""
    if entry.reference is None:
        return {}
    path = Path(entry.reference).expanduser()
    return {path.name: content_hash(path)}


def _method_settings(config: DictConfig) -> dict[str, Any]:
    """The settings of the method of a configuration, as an :class:`Origin` keeps them."""
    resolved = OmegaConf.to_container(config.method, resolve=True)
    root = str(config.paths.root) if OmegaConf.select(config, "paths.root") else None
    settings = _relative(resolved, root)
    for name in _WITHOUT_EFFECT:
        group, _, key = name.partition(".")
        if isinstance(settings.get(group), dict):
            settings[group].pop(key, None)
    return settings


def named_files(config: DictConfig) -> dict[str, str]:
    """SHA-256 of every file that the settings of the method name, by the file's name, in order."""
    named = {*_texts(OmegaConf.to_container(config.method, resolve=True))}
    files = {file for text in named if (file := _file(text))}
    return {file.name: content_hash(file) for file in sorted(files)}


def content_hash(path: Path) -> str:
    """SHA-256 of a file, computed anew only if the file has changed."""
    state = path.stat()
    return _hash(str(path.resolve()), state.st_mtime_ns, state.st_size)


def png(image: Tensor, text: str | None = None) -> bytes:
    """A picture (3, H, W) uint8 as a PNG file, with ``text`` inside."""
    stream, info = io.BytesIO(), PngInfo()
    if text is not None:
        info.add_itxt(_KEY, text, zip=True)
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(stream, format="png", pnginfo=info)
    return stream.getvalue()


def read_origin(path: str | Path) -> Origin:
    """How the picture in a PNG file was made.

    Raises:
        SDGError: not a PNG file, or one that sdg did not write or that has lost what was in it.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise SDGError(f"there is no picture at {path}: give a PNG that sdg drew")
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()  # the text may stand behind the pixels
            text = getattr(image, "text", {}).get(_KEY)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, zlib.error) as error:
        raise SDGError(f"{path} is not a whole PNG picture: give one that sdg drew") from error
    if text is None:
        raise SDGError(
            f"{path} does not say how it was made: give a PNG that sdg drew and that nothing has saved again"
        )
    try:
        parts = json.loads(text)
        entry = PlanEntry(id=0, **parts["entry"])
        return Origin(dict(parts["method"]), dict(parts["contents"]), entry, str(parts["version"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SDGError(
            f"{path} says how it was made in a way that sdg {sdg.__version__} cannot read: draw it "
            "again from its run's folder"
        ) from error


@lru_cache(maxsize=256)
def _hash(path: str, _changed: int, _size: int) -> str:
    return file_hash(Path(path))


def _relative(settings: Any, root: str | None) -> Any:
    """Settings with ``${paths.root}`` for the path of sdg itself."""
    if isinstance(settings, dict):
        return {key: _relative(value, root) for key, value in settings.items()}
    if isinstance(settings, list):
        return [_relative(value, root) for value in settings]
    if root and isinstance(settings, str) and settings.startswith(f"{root}/"):
        return "${paths.root}" + settings.removeprefix(root)
    return settings


def _file(text: str) -> Path | None:
    """The file that a setting names, if any: a picture, or weights named in any supported way."""
    try:
        return find_file(text)
    except SDGError:
        return None


def _texts(settings: Any) -> Iterator[str]:
    """Every string in a tree of settings."""
    if isinstance(settings, str):
        yield settings
    elif isinstance(settings, Mapping):
        settings = list(settings.values())
    if isinstance(settings, list):
        for value in settings:
            yield from _texts(value)
