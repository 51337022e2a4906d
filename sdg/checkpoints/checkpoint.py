"""Any file of weights as a flat mapping of names to tensors, read one tensor at a time and never run.

A file's first bytes say what it is, not its name. Whatever is wrong with it is reported in one clear line.
"""

import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdg.checkpoints.places import find_file
from sdg.checkpoints.safetensors_index import read_safetensors_index
from sdg.checkpoints.stored import Reader, Stored
from sdg.checkpoints.torch_index import ScriptObject, read_torch_index
from sdg.errors import SDGError

WRAPPERS = ("g_ema", "state_dict", "model")
"""Names under which training checkpoints keep the weights among other things, in order of preference."""

_NVIDIA = (b"dnnlib", b"torch_utils.persistence")
"""Names at the beginning of the pickles from StyleGAN's official repositories."""

_REPETITION = 4
"""How many times its own size a file may declare; honest files share only a tensor or two between names."""


@dataclass
class Checkpoint:
    """An opened weight file: names, shapes and dtypes now, the numbers on request."""

    path: Path
    format: str
    opened: tuple[str, ...]
    """The wrappers around the weights that were removed, outermost first."""
    notes: dict[str, str]
    """What the file says about itself."""
    outline: dict[str, Tensor] = field(repr=False)
    """Every tensor's shape and dtype, as tensors on the meta device."""
    _content: dict[str, Stored | Tensor] = field(repr=False)

    def tensors(self, dtypes: Mapping[str, torch.dtype] | None = None) -> Iterator[tuple[str, Tensor]]:
        """Each name and tensor once, on the CPU; what was read is released, so memory holds one at a time.

        Args:
            dtypes: dtypes, by name, of tensors that should not keep the file's.

        Raises:
            SDGError: the file ends before the tensor does.
        """
        dtypes = dtypes or {}
        with _in_one_line(self.path), self.path.open("rb") as file:
            reader = Reader(file)
            for key in list(self._content):
                tensor = self._content.pop(key)
                if isinstance(tensor, Tensor):
                    yield key, tensor.to(dtypes.get(key)).contiguous()
                else:
                    yield key, reader.read(tensor, dtypes.get(key))


def open_checkpoint(path: str | Path | None) -> Checkpoint:
    """Open a ``.safetensors``, ``.pt``, ``.pth`` or TorchScript file, a diffusers folder, or a cached CLIP.

    Wrappers such as ``{"state_dict": …}`` and a ``module.`` before every name are removed.

    Args:
        path: a file; a folder with a diffusers model; or ``open_clip:NAME/TAG``, for weights in open_clip's
            cache.

    Raises:
        SDGError: no such file, not a checkpoint, truncated, a pickle that holds more than tensors, or an
            archive that declares far more than it holds.
    """
    path = find_file(path)
    notes: dict[str, str] = {}
    with _in_one_line(path):
        with path.open("rb") as file:
            start = file.read(512)
        _refuse_what_is_no_checkpoint(path, start)
        content: Any
        if start.startswith(b"PK"):
            content, scripted = read_torch_index(path)
            kind = "TorchScript archive" if scripted else "torch.save"
        elif start[8:9] == b"{":
            content, notes = read_safetensors_index(path)
            kind = "safetensors"
        else:
            content, kind = _load_legacy(path), "torch.save of before 1.6"
        opened, state = _unwrap(path, content)
        declared = sum(tensor.nbytes for tensor in state.values())
        if declared > _REPETITION * path.stat().st_size:
            raise SDGError(
                f"{path} declares {declared:,} bytes of tensors in a file of {path.stat().st_size:,}, "
                f"which no checkpoint does: fetch it elsewhere"
            )
        outline = {key: x.outline() if isinstance(x, Stored) else x.to("meta") for key, x in state.items()}
    return Checkpoint(path, kind, opened, notes, outline, state)


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


def _load_legacy(path: Path) -> Any:
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice to its own developers about odd pickles
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if "GLOBAL" not in str(error):
                raise
            raise SDGError(
                f"{path} holds more than tensors and may run code, so it is not opened: "
                f"save its state dict alone"
            ) from error


def _unwrap(path: Path, content: Any) -> tuple[tuple[str, ...], dict[str, Stored | Tensor]]:
    """The wrappers that were removed, and the flat mapping inside."""
    opened: list[str] = []
    while isinstance(content, dict) and not isinstance(content, ScriptObject):
        inside = [name for name in WRAPPERS if isinstance(content.get(name), dict)]
        if not inside:
            break
        content = content[inside[0]]
        opened.append(inside[0])
    if isinstance(content, ScriptObject):
        content = dict(_flatten(content, "", set()))
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and key.isprintable() and isinstance(value, Stored | Tensor)
        for key, value in content.items()
    ):
        holds = f" but holds {list(content)[:4]!a}" if isinstance(content, dict) else ""
        raise SDGError(f"{path} is not a flat state dict{holds}: save model.state_dict() alone")
    if not content:
        raise SDGError(f"{path} holds no tensors: save model.state_dict()")
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
        opened.append("module.")
    return tuple(opened), content


def _flatten(script: ScriptObject, prefix: str, seen: set[int]) -> Iterator[tuple[str, Stored]]:
    """Names and tensors as in TorchScript's own state dict."""
    for key, value in script.items():
        if isinstance(value, Stored):
            yield prefix + key, value
        elif isinstance(value, ScriptObject) and id(value) not in seen:
            seen.add(id(value))  # objects that hold one another would recurse forever
            yield from _flatten(value, f"{prefix}{key}.", seen)


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except SDGError:
        raise
    except PermissionError as error:
        raise SDGError(f"{path} may not be read: change its permissions") from error
    except Exception as error:  # a foreign file can break a reader in any way
        raise SDGError(f"{path} is truncated or no checkpoint at all: fetch or train it again") from error
