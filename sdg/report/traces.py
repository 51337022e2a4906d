"""What happened to a sample at every step: a file of columns, read only where it is asked for.

A trace is plain data: numbers of all steps by name, some of them in dictionaries. Its file is safetensors,
whose columns are called by the path to them, such as ``guided.scores.text``. Each sample has its own, as it
has its own picture: a run that was killed and resumed, has grown, or was drawn by several processes leaves
the same files.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from sdg.errors import SDGError

_DEEP = 2
"""Dots in the longest path; any further ones belong to a term's name."""


def trace_bytes(trace: Mapping[str, Any]) -> bytes:
    """The content of a trace's file: int32 for whole numbers, else float32."""
    return safetensors.numpy.save(dict(_columns(trace)))


def read_trace(folder: Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The trace of a sample, from its record in the manifest of ``folder``; None if none was kept.

    Folders of earlier versions have their traces in the manifest itself.

    Raises:
        SDGError: the file is damaged or gone.
    """
    said = record.get("trace")
    if not isinstance(said, str):
        return said
    try:
        columns = safetensors.numpy.load_file(folder / said)
    except (OSError, safetensors.SafetensorError) as error:
        raise SDGError(
            f"{folder / said} is damaged or gone: delete {record['file']} there, too, and repeat the run's "
            "command, which draws it again"
        ) from error
    trace: dict[str, Any] = {}
    for path, values in columns.items():
        *outer, name = path.split(".", _DEEP)
        place = trace
        for key in outer:
            place = place.setdefault(key, {})
        place[name] = values.tolist()
    return trace


def _columns(trace: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for name, value in trace.items():
        if isinstance(value, Mapping):
            yield from _columns(value, f"{path}{name}.")
        else:
            whole = bool(value) and all(isinstance(number, int) for number in value)
            yield path + name, np.array(value, dtype=np.int32 if whole else np.float32)
