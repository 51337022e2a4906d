"""Files for the tests of this folder: one state dict in every format, and files made by hand."""

import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn


def state() -> dict[str, Tensor]:
    """Small tensors of several kinds, with one that is not contiguous and two that share their memory."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(4, 6, generator=generator)
    return {
        "conv.weight": torch.randn(2, 3, 3, 3, generator=generator).to(memory_format=torch.channels_last),
        "fp16.weight": torch.randn(5, 2, generator=generator).half(),
        "bf16.weight": torch.randn(5, generator=generator).bfloat16(),
        "rows.weight": matrix[1:3],
        "columns.weight": matrix[:, ::2],
        "counter": torch.tensor(7),
        "flags": torch.tensor([True, False]),
        "nothing": torch.zeros(0, 3),
    }


class Tree(nn.Module):
    """A module with the names of a state dict and no behaviour."""

    def __init__(self, state: dict[str, Tensor]):
        super().__init__()
        for key in dict.fromkeys(key.partition(".")[0] for key in state):
            below = {k.removeprefix(f"{key}."): v for k, v in state.items() if k.startswith(f"{key}.")}
            if below:
                self.add_module(key, Tree(below))
            else:
                self.register_buffer(key, state[key])


def save_script(state: dict[str, Tensor], path: Path) -> None:
    """A TorchScript archive with these names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have something else saved
        torch.jit.save(torch.jit.script(Tree(state)), path)


def save_legacy(content: Any, path: Path) -> None:
    """What torch.save wrote before version 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_safetensors(state: dict[str, Tensor], path: Path) -> None:
    """As safetensors, which hold no views."""
    safetensors.torch.save_file({key: value.clone().contiguous() for key, value in state.items()}, path)


SAVERS: dict[str, Callable[[Any, Path], None]] = {
    "torch.save": torch.save,
    "torch.save of before 1.6": save_legacy,
    "TorchScript archive": save_script,
    "safetensors": save_safetensors,
}


def save_pickle(content: bytes, path: Path, *others: str) -> None:
    """An archive as torch.save lays it out, around a pickle of one's own."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        for name in others:
            archive.writestr(f"archive/{name}", "")


class Bomb:
    """Creates a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


def bomb() -> bytes:
    """A pickle that runs code."""
    return pickle.dumps({"weight": Bomb()}, protocol=2)
