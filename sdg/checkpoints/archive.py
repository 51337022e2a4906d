"""Archives of ``torch.save`` and TorchScript: their records checked, and the tensors of TorchScript found.

``torch.load`` reads what ``torch.save`` wrote, but maps a tensor that claims more than its record holds onto
the bytes behind it; and it reads no TorchScript without running it. So the pickle in an archive is first read
here, by an unpickler to which every name is an empty shell: nothing is imported, and nothing runs.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdg.checkpoints.pickles import check_pickle
from sdg.errors import SDGError

_STORAGES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
    "QInt32": torch.qint32,
    **dict.fromkeys(("Byte", "Untyped", "QInt8", "QUInt8", "QUInt4x2", "QUInt2x4"), torch.uint8),
}
"""The types of storages, or types of the same size."""


class Shell(dict[Any, Any]):
    """Stands for any class, function or object: it keeps its attributes as items, and does nothing."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # a dictionary has none, but objects may be keys

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __call__(self, *_: Any, **__: Any) -> "Shell":
        return Shell()

    def __setstate__(self, state: Any) -> None:
        self.update(state if isinstance(state, dict) else {})


def check_archive(path: Path) -> bool:
    """Whether an archive is TorchScript's.

    Raises:
        SDGError: it declares more than it holds, or holds no checkpoint.
        Exception: anything else that a damaged archive can cause.
    """
    records = _records(path)
    _Reader(path, records).load()
    return "constants.pkl" in records


def read_script(path: Path) -> dict[str, Tensor]:
    """The state dict of a TorchScript archive, its numbers mapped from the file.

    Raises:
        Exception: as :func:`check_archive`.
    """
    return dict(_flatten(_Reader(path, _records(path)).load(), "", set()))


def _records(path: Path) -> dict[str, zipfile.ZipInfo]:
    """What is in the archive, by its name below the archive's only folder."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    records = {info.filename.partition("/")[2]: info for info in entries}
    read = [info for name, info in records.items() if name == "data.pkl" or name.startswith("data/")]
    declared = sum(info.file_size for info in read)  # TorchScript compresses its code, which is not read
    if declared > size or any(info.compress_type != zipfile.ZIP_STORED for info in read):
        raise SDGError(
            f"{path} declares {declared:,} bytes, compressed into {size:,}, which no checkpoint does: "
            f"if it is an archive of one, unpack it and give the file inside"
        )
    if "data.pkl" not in records:
        raise SDGError(f"{path} is an archive without a checkpoint in it: unpack it and give the file inside")
    if len(records) < len(entries) or len({info.filename.partition("/")[0] for info in entries}) > 1:
        raise SDGError(f"{path} holds a record twice, or two checkpoints: fetch it elsewhere")
    return records


class _Reader(pickle.Unpickler):
    """Gives shells, and tensors that are mapped from the file."""

    def __init__(self, path: Path, records: dict[str, zipfile.ZipInfo]) -> None:
        with path.open("rb") as file:
            self._starts = {name: _start(file, info) for name, info in records.items()}
            file.seek(self._starts["data.pkl"])
            content = file.read(records["data.pkl"].file_size)
        check_pickle(io.BytesIO(content))
        super().__init__(io.BytesIO(content))
        self._records = records
        self._file = torch.UntypedStorage.from_file(str(path), False, path.stat().st_size)

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return _STORAGES[name.removesuffix("Storage")]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda record, offset, shape, stride, *_: _view(record, offset, shape, stride)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        return type("Shell", (Shell,), {})

    def persistent_load(self, pid: Any) -> tuple[torch.UntypedStorage, torch.dtype]:
        """The bytes of a record, and their type."""
        kind, dtype, key, _, count = pid
        name, nbytes = f"data/{key}", count * dtype.itemsize
        if (
            kind != "storage"
            or not isinstance(dtype, torch.dtype)
            or not 0 <= nbytes <= self._records[name].file_size
        ):
            raise pickle.UnpicklingError("a tensor with more elements than its record holds")
        start = self._starts[name]
        return self._file[start : start + nbytes], dtype


def _start(file: Any, info: zipfile.ZipInfo) -> int:
    """Where a record's bytes begin: behind its own header, whose length the directory does not tell."""
    file.seek(info.header_offset)
    mark, name, extra = struct.unpack("<4s22x2H", file.read(30))
    if mark != b"PK\3\4":
        raise zipfile.BadZipFile("a record without its header")
    return info.header_offset + 30 + name + extra


def _view(record: tuple[torch.UntypedStorage, torch.dtype], offset: int, shape: Any, stride: Any) -> Tensor:
    """A tensor in a record; torch checks that it fits."""
    storage, dtype = record
    return torch.empty(0, dtype=dtype).set_(storage, offset, tuple(shape), tuple(stride))


def _flatten(script: dict[Any, Any], prefix: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors as in TorchScript's own state dict."""
    for key, value in script.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        elif isinstance(value, Shell) and id(value) not in seen:
            seen.add(id(value))  # objects that hold one another would recurse forever
            yield from _flatten(value, f"{prefix}{key}.", seen)
