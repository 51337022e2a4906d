"""The index of a safetensors file: eight bytes of length, a JSON header, then the data."""

import json
from pathlib import Path

import torch

from sdg.checkpoints.stored import Stored, contiguous
from sdg.errors import SDGError

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_safetensors_index(path: Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """Where each tensor lies in the file, and the file's metadata.

    Raises:
        SDGError: a tensor has an unsupported dtype.
        Exception: anything else that a damaged header can cause; EOFError if it does not match the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if 8 + length > size:
            raise EOFError("the file ends inside its header")
        header = json.loads(file.read(length))
    notes = {str(key): str(value) for key, value in header.pop("__metadata__", {}).items()}
    index = {}
    for key, entry in header.items():
        if entry["dtype"] not in _DTYPES:
            raise SDGError(f"{path} stores {key} as {entry['dtype']}: convert it to F16, BF16 or F32 first")
        shape, (start, stop) = tuple(map(int, entry["shape"])), map(int, entry["data_offsets"])
        stored = Stored(8 + length + start, _DTYPES[entry["dtype"]], shape, contiguous(shape))
        if min(start, *shape, 0) < 0 or stop - start != stored.nbytes or 8 + length + stop > size:
            raise EOFError("the header does not describe this file")
        index[key] = stored
    return index, notes
