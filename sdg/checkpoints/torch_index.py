"""The index of a ``torch.save`` or TorchScript zip archive, read without running anything in it.

Such an archive holds a pickle that describes the objects, and separate records with the numbers of the
tensors. A pickle is a program. Here it may name only a handful of functions, which merely note where a
tensor lies; any other name is refused. TorchScript's classes become plain dictionaries of what they
hold: their code is not even read.
"""

import collections
import io
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from sdg.checkpoints.stored import Stored
from sdg.errors import SDGError

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class ScriptObject(dict[str, Any]):
    """The attributes of an object in a TorchScript archive."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.update(state)


def read_torch_index(path: Path) -> tuple[Any, bool]:
    """The saved object, with a :class:`Stored` in place of every tensor, and whether it is TorchScript.

    Raises:
        SDGError: the pickle names more than tensors, or the archive declares more than it holds.
        Exception: anything else that a damaged archive can cause.
    """
    size = path.stat().st_size
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        records = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        ours = ("data.pkl", "byteorder", "data/")
        read = [info for name, info in records.items() if name.startswith(ours)]
        declared = sum(info.file_size for info in read)  # TorchScript compresses its code, which is not read
        if declared > size or any(info.compress_type != zipfile.ZIP_STORED for info in read):
            raise SDGError(
                f"{path} declares {declared:,} bytes, compressed into {size:,}, which no checkpoint does: "
                f"if it is an archive of one, unpack it and give the file inside"
            )
        if "byteorder" in records and archive.read(records["byteorder"]) != b"little":
            raise SDGError(f"{path} was saved on a big-endian machine: save it as safetensors there")
        if "data.pkl" not in records:
            raise SDGError(
                f"{path} is an archive without a checkpoint in it: unpack it and give the file inside"
            )
        content = archive.read(records["data.pkl"])
        _check_opcodes(content)
        return _TensorUnpickler(content, file, records, path).load(), "constants.pkl" in records


def _check_opcodes(content: bytes) -> None:
    """Refuse opcodes that would make the C unpickler reserve memory that the pickle itself does not fill."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise pickle.UnpicklingError("a memo number beyond the pickle's length")


class _TensorUnpickler(pickle.Unpickler):
    def __init__(
        self, content: bytes, file: BinaryIO, records: dict[str, zipfile.ZipInfo], path: Path
    ) -> None:
        super().__init__(io.BytesIO(content))
        self._file, self._records, self._path = file, records, path

    def find_class(self, module: str, name: str) -> Any:
        """The few names that a description of tensors needs, as objects that the pickle cannot alter."""

        def rebuild(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> Stored:
            return _tensor_in(storage, offset, tuple(map(int, shape)), tuple(map(int, stride)))

        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module.startswith("__torch__"):
            return type("Script", (ScriptObject,), {})
        harmless: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch", "Size"): tuple,
            ("torch", "device"): lambda *_: None,
            ("torch._utils", "_rebuild_tensor_v2"): rebuild,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            # How TorchScript writes lists, and what it notes about a container's type.
            ("torch.jit._pickle", "build_intlist"): lambda values: values,
            ("torch.jit._pickle", "build_tensorlist"): lambda values: values,
            ("torch.jit._pickle", "build_doublelist"): lambda values: values,
            ("torch.jit._pickle", "build_boollist"): lambda values: values,
            ("torch.jit._pickle", "restore_type_tag"): lambda value, _: value,
            # Training options, which some programs save beside the weights.
            ("argparse", "Namespace"): type("Options", (), {}),
        }
        if (module, name) not in harmless:
            raise SDGError(
                f"{self._path} holds more than tensors ({module}.{name}) and may run code, "
                f"so it is not opened: save its state dict alone"
            )
        return harmless[module, name]

    def persistent_load(self, pid: Any) -> tuple[torch.dtype, int, int]:
        """A record of numbers: its dtype, the offset of its first byte, and its number of elements."""
        kind, dtype, key, _, count = pid
        info = self._records[f"data/{key}"]
        if kind != "storage" or not isinstance(dtype, torch.dtype) or count * dtype.itemsize > info.file_size:
            raise pickle.UnpicklingError("a tensor with more elements than its record holds")
        self._file.seek(info.header_offset)
        name, extra = struct.unpack("<26x2H", self._file.read(30))
        return dtype, info.header_offset + 30 + name + extra, count


def _tensor_in(
    storage: tuple[torch.dtype, int, int], offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> Stored:
    """A tensor as a view of a record; offset and strides are counted in elements."""
    dtype, start, count = storage
    stored = Stored(start + offset * dtype.itemsize, dtype, shape, stride)
    if min(offset, *shape, *stride, 0) < 0 or len(shape) != len(stride):
        raise pickle.UnpicklingError("a tensor of impossible shape")
    if offset * dtype.itemsize + stored.span > count * dtype.itemsize:
        raise pickle.UnpicklingError("a tensor that reaches beyond its record")
    return stored
