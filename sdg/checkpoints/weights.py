"""Weights in files: written whole, read strictly; nothing is unpickled that could run code."""

import pickle
import warnings
from pathlib import Path
from typing import TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.files import write_whole

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def save_weights(
    path: str | Path,
    module: nn.Module,
    metadata: dict[str, str] | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a module's state dict as safetensors, floating-point tensors as ``dtype``."""
    state = {
        key: value.detach().to("cpu", dtype if value.is_floating_point() else None).contiguous()
        for key, value in module.state_dict().items()
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, safetensors.torch.save(state, metadata))


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` or (``weights_only``) ``.pt``/``.pth`` file, on the CPU.

    Raises:
        SDGError: no such file, not a checkpoint, truncated, or a pickle that holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise SDGError(f"there is no checkpoint at {path}: train it, or give the path of one")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice to its own developers about odd pickles
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise SDGError(
                f"{path} holds more than tensors and may run code, so it is not opened: "
                f"save its state dict alone"
            ) from error
        raise SDGError(f"{path} is truncated or no checkpoint at all: fetch or train it again") from error
    except Exception as error:  # a foreign file can break a reader in any way
        raise SDGError(f"{path} is truncated or no checkpoint at all: fetch or train it again") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise SDGError(f"{path} is not a flat state dict: save model.state_dict() alone")
    return state


def load_weights(module: ModuleT, path: str | Path) -> ModuleT:
    """Load ``path`` into ``module`` strictly, keeping the module's own dtype; returns the module.

    Raises:
        SDGError: as :func:`read_state`; also keys that are missing, left over or of another shape, and which.
    """
    state, own = read_state(path), module.state_dict()
    problems = [f"{key} is missing" for key in own.keys() - state.keys()]
    problems += [f"{key} is left over" for key in state.keys() - own.keys()]
    problems += [
        f"{key} is {tuple(state[key].shape)} where {tuple(own[key].shape)} is needed"
        for key in own.keys() & state.keys()
        if own[key].shape != state[key].shape
    ]
    if problems:
        shown = "; ".join(sorted(problems)[:3])
        raise SDGError(
            f"{path} does not fit {type(module).__name__}: {shown} ({len(problems)} such keys in all)"
        )
    module.load_state_dict(state)
    return module
