"""Any file of weights as a flat mapping of names to tensors, read one tensor at a time and never run.

Whatever is wrong with a file is reported in one clear line.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from sdg.checkpoints.formats import format_of
from sdg.checkpoints.places import chosen, find_file
from sdg.checkpoints.wrappers import State, unwrap
from sdg.errors import SDGError

_REPETITION = 4
"""How many times its own size a file may declare; honest files share only a tensor or two between names."""

_PORTIONS = 8
"""In how many portions a file is read, each mapped anew: the pages of a map stay in memory while it does."""

_MOST_DIMENSIONS = 64
"""More than torch computes with."""


@dataclass
class Checkpoint:
    """An opened weight file: names, shapes and dtypes now, the numbers on request."""

    path: Path
    format: str
    opened: tuple[str, ...]
    """The wrappers and prefixes around the weights that were removed, outermost first."""
    note: str | None
    """What was chosen, where the file holds an average beside other weights."""
    notes: dict[str, str]
    """What the file says about itself."""
    outline: dict[str, Tensor] = field(repr=False)
    """Every tensor's shape and dtype, as tensors on the meta device."""
    _read: Callable[[], State] = field(repr=False)
    _mapped: bool

    def tensors(self, dtypes: Mapping[str, torch.dtype] | None = None) -> Iterator[tuple[str, Tensor]]:
        """Each name and tensor, contiguous and on the CPU; memory holds about one of them at a time.

        Args:
            dtypes: dtypes, by name, of tensors that should not keep the file's.

        Raises:
            SDGError: the file is no longer what was opened.
        """
        dtypes = dtypes or {}
        with in_one_line(self.path):
            state, read = self._read(), 0
            portion = sum(x.nbytes for x in self.outline.values()) // _PORTIONS
            for key, expected in self.outline.items():
                if self._mapped and read > portion:
                    state, read = State(), 0  # dropped before the file is mapped again
                    state = self._read()
                stored = state.pop(key).detach()
                if stored.shape != expected.shape or stored.dtype != expected.dtype:
                    raise EOFError("the file was replaced")
                read += stored.nbytes
                dtype = dtypes.get(key, stored.dtype)
                copy = self._mapped  # else the file would stay mapped, and could change under the weights
                yield key, stored.to(dtype, copy=copy, memory_format=torch.contiguous_format).contiguous()


def open_checkpoint(path: str | Path | None) -> Checkpoint:
    """Open a ``.safetensors``, ``.pt``, ``.pth`` or TorchScript file, a diffusers folder, or a cached CLIP.

    Wrappers such as ``{"state_dict": …}`` and a name before every name (``module.``, ``model.``) are removed.
    Where a file holds an average of weights beside the weights themselves, the average is taken.

    Args:
        path: a file; a folder with a diffusers model; or ``open_clip:NAME/TAG``, for weights in open_clip's
            cache. ``PATH@raw``, ``PATH@average`` and ``PATH@ENTRY`` choose from what a file holds.

    Raises:
        SDGError: no such file, not a checkpoint, truncated, a pickle that holds more than tensors, or an
            archive that declares far more than it holds.
    """
    choice, path = chosen(path)[1], find_file(path)
    with in_one_line(path):
        format_ = format_of(path)
        found = unwrap(path, format_.read(path), choice)
        for key, tensor in found.state.items():
            _refuse_what_is_no_plain_tensor(path, key, tensor)
        declared = sum(tensor.nbytes for tensor in found.state.values())
        if declared > _REPETITION * format_.size:
            raise SDGError(
                f"{path} declares {declared:,} bytes of tensors in a file of {format_.size:,}, "
                f"which no checkpoint does: fetch it elsewhere"
            )
        outline = {key: tensor.detach().to("meta") for key, tensor in found.state.items()}

    def read() -> State:
        return unwrap(path, format_.read(path), choice).state

    return Checkpoint(
        path, format_.name, found.path, found.note, format_.notes, outline, read, format_.mapped
    )


def _refuse_what_is_no_plain_tensor(path: Path, key: str, tensor: Tensor) -> None:
    if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout != torch.strided or tensor.is_quantized:
        what = "not a dense tensor"
    elif tensor.is_meta:
        what = "a tensor without its numbers"
    elif tensor.ndim > _MOST_DIMENSIONS:
        what = f"a tensor of {tensor.ndim:,} dimensions"
    elif tensor.dtype == torch.float4_e2m1fn_x2:
        what = "a tensor of numbers of 4 bits"
    else:
        return
    raise SDGError(f"{key} of {path} is {what}: save its numbers as an ordinary tensor")


@contextmanager
def in_one_line(path: Path) -> Iterator[None]:
    """Whatever reading ``path`` inside raises, as one line."""
    try:
        yield
    except SDGError:
        raise
    except PermissionError as error:
        raise SDGError(f"{path} may not be read: change its permissions") from error
    except Exception as error:  # a foreign file can break a reader in any way
        raise SDGError(f"{path} is truncated or no checkpoint at all: fetch or train it again") from error
