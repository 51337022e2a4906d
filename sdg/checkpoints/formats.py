"""Every kind of weight file as the object in it, its numbers mapped from the file; nothing in it is run."""

import argparse
import json
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import torch

from sdg.checkpoints.archive import check_archive, read_script
from sdg.checkpoints.changes import base_of, overlaid
from sdg.checkpoints.pickles import check_pickle
from sdg.errors import SDGError


class Format(NamedTuple):
    """What a file is, and how it is read."""

    name: str
    read: Callable[[Path], Any]
    """Gives the object in the file; may be called again."""
    mapped: bool
    """Whether the numbers are mapped from the file, and not yet read."""
    size: int
    """Bytes of the file, or of all its parts."""
    notes: dict[str, str]
    """What the file says about itself."""


_NVIDIA = (b"dnnlib", b"torch_utils.persistence")
"""Names at the beginning of the pickles from StyleGAN's official repositories."""

_LEGACY_PICKLES = 5
"""An old file begins with a number, a version, the machine, the object, and the names of its records."""


def format_of(path: Path) -> Format:
    """The format of a file, by its first bytes rather than its name.

    Raises:
        SDGError: known to be no checkpoint, or an archive that declares more than it holds.
        Exception: anything else that a damaged file can cause.
    """
    with path.open("rb") as file:
        start = file.read(512)
    _refuse_what_is_no_checkpoint(path, start)
    size = path.stat().st_size
    if start.startswith(b"PK"):
        if check_archive(path):
            return Format("TorchScript archive", read_script, True, size, {})
        return Format("torch.save", _read_torch, _mappable(path), size, {})
    if path.name.endswith(".json"):
        shards = _shards(path)
        return Format("safetensors in parts", _read_shards, True, sum(x.stat().st_size for x in shards), {})
    if start[8:9] == b"{":
        with safetensors.safe_open(path, "pt") as opened:
            notes = dict(opened.metadata() or {})
        if base := base_of(path, notes):
            below = format_of(base)
            return Format(
                f"safetensors, changes of {base.name}",
                lambda file: overlaid(file, _read_safetensors(file), below.read(base)),
                below.mapped,
                size + below.size,
                notes,
            )
        return Format("safetensors", _read_safetensors, True, size, notes)
    return Format("torch.save of before 1.6", _read_legacy, False, size, {})


def _read_safetensors(path: Path) -> Any:
    with safetensors.safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # it is no dictionary


def _shards(path: Path) -> list[Path]:
    """The files that an index names."""
    names = {str(name) for name in json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()}
    for name in names:
        if Path(name).name != name or not (path.parent / name).is_file():
            raise SDGError(f"{path} names {name!a}, which is not beside it: fetch that too")
    return [path.parent / name for name in sorted(names)]


def _read_shards(path: Path) -> Any:
    parts = [format_of(shard).read(shard) for shard in _shards(path)]
    state = {key: tensor for part in parts for key, tensor in part.items()}
    named = json.loads(path.read_text(encoding="utf-8"))["weight_map"].keys()
    if state.keys() != named or sum(map(len, parts)) != len(state):
        raise SDGError(f"{path} and its parts do not name the same tensors: fetch them all again")
    return state


def _mappable(path: Path) -> bool:
    # What is called so, torch takes for safetensors, unless it gets an open file, which it does not map.
    return path.suffix != ".safetensors"


def _read_torch(path: Path) -> Any:
    return _load(path, mmap=_mappable(path))


def _read_legacy(path: Path) -> Any:
    with path.open("rb") as file:
        for _ in range(_LEGACY_PICKLES):
            check_pickle(file)
    return _load(path, mmap=False)  # its tensors follow one another without an index


def _load(path: Path, mmap: bool) -> Any:
    # Training options, which some programs save beside the weights, are harmless.
    with (
        path.open("rb") as file,
        warnings.catch_warnings(),
        torch.serialization.safe_globals([argparse.Namespace]),
    ):
        warnings.simplefilter("ignore")  # torch's advice to its own developers about odd pickles
        try:
            source = str(path) if mmap else file
            return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
        except pickle.UnpicklingError as error:
            if not (name := re.search(r"GLOBAL (\S+)", str(error))):
                raise
            raise SDGError(
                f"{path} holds more than tensors ({name[1]}) and may run code, so it is not opened: "
                f"save its state dict alone"
            ) from error


def _refuse_what_is_no_checkpoint(path: Path, start: bytes) -> None:
    # A safetensors file begins with its header's length in 8 bytes, part of which may look like text.
    if start.lstrip().startswith(b"<") and b"\0" not in start[:8]:
        raise SDGError(
            f"{path} is a web page, not a checkpoint: its server wants a login or a click, "
            f"so fetch it by browser"
        )
    if start.startswith(b"version https://git-lfs"):
        raise SDGError(f"{path} is a pointer of Git LFS, not the file itself: run git lfs pull")
    if start.startswith(b"\x80") and any(name in start for name in _NVIDIA):
        raise SDGError(
            f"{path} is one of NVIDIA's pickles, which run code when opened: convert it to the layout of "
            f"stylegan2-pytorch with that project's convert_weight.py, and give the file it makes"
        )
    if start.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")):
        raise SDGError(f"{path} is a compressed archive: unpack it and give the file inside")
