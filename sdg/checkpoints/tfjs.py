"""Weights as TensorFlow.js keeps them: a manifest of names and shapes, and shards of bytes."""

import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sdg.errors import SDGError

_TYPES = {"float32": "<f4", "int32": "<i4", "uint8": "u1", "uint16": "<u2", "float16": "<f2", "bool": "u1"}
"""How numbers lie in shards."""


def read_tfjs(manifest: Path) -> dict[str, Tensor]:
    """All tensors of a ``…weights_manifest.json`` and the shards beside it, in TensorFlow's order of axes.

    Quantised numbers q become q · scale + min in float32.

    Raises:
        SDGError: a file is missing, cut short or not what it should be.
    """
    tensors = dict[str, Tensor]()
    for paths, entries in _groups(manifest):
        shards = b"".join(_bytes(manifest, path) for path in paths)
        start = 0
        for entry in entries:
            name, shape, stored, quantization = _read_entry(manifest, entry)
            dtype = np.dtype(_TYPES[stored])
            end = start + math.prod(shape) * dtype.itemsize
            if end > len(shards):
                raise SDGError(
                    f"{', '.join(paths)} in {manifest.parent} is cut short: {len(shards):,} bytes end before "
                    f"{name}: fetch it again"
                )
            numbers = np.frombuffer(shards[start:end], dtype)
            start = end
            tensors[name] = torch.from_numpy(_dequantised(numbers, quantization).reshape(shape))
        if start != len(shards):
            raise SDGError(
                f"{', '.join(paths)} in {manifest.parent} has {len(shards):,} bytes where {manifest.name} "
                f"tells of {start:,}: fetch both again, from one version"
            )
    return tensors


def shards_of(manifest: Path) -> list[Path]:
    """The files that a manifest names, in order; raises SDGError if it is no manifest."""
    return [manifest.parent / path for paths, _ in _groups(manifest) for path in paths]


def _groups(manifest: Path) -> list[tuple[list[str], list[Any]]]:
    try:
        groups = json.loads(manifest.read_text(encoding="utf-8"))
        found = [([str(path) for path in each["paths"]], list(each["weights"])) for each in groups]
    except FileNotFoundError as error:
        raise SDGError(f"there is no {manifest.name} in {manifest.parent}: give the whole folder") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SDGError(f"{manifest} is no manifest of TensorFlow.js's weights: fetch it again") from error
    for path in (path for paths, _ in found for path in paths):
        if PurePosixPath(path).name != path:
            raise SDGError(f"{manifest} names {path!r}, which is not beside it: fetch the package again")
    return found


def _bytes(manifest: Path, path: str) -> bytes:
    try:
        return (manifest.parent / path).read_bytes()
    except OSError as error:
        raise SDGError(
            f"{manifest.name} names {path}, which cannot be read in {manifest.parent} ({error.strerror}): "
            "give the whole folder"
        ) from error


def _read_entry(manifest: Path, entry: Any) -> tuple[str, list[int], str, tuple[float, float] | None]:
    """A tensor's name, shape, type in the shards and, if it is quantised, (scale, min)."""
    try:
        name, shape = str(entry["name"]), [int(size) for size in entry["shape"]]
        quantization = entry.get("quantization")
        stored = str(quantization["dtype"] if quantization else entry["dtype"])
        numbers = quantization and (float(quantization.get("scale", 1)), float(quantization.get("min", 0)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SDGError(f"{manifest} has an entry without its name, shape and type: fetch it again") from error
    if stored not in _TYPES or any(size < 0 for size in shape):
        raise SDGError(
            f"{name} of {manifest} is of {stored} {shape}, which is not read: take another version"
        )
    return name, shape, stored, numbers or None


def _dequantised(numbers: np.ndarray, quantization: tuple[float, float] | None) -> np.ndarray:
    if quantization is None:
        return numbers.astype(np.float32 if numbers.dtype.kind == "f" else numbers.dtype)
    scale, low = quantization
    return (numbers.astype(np.float64) * scale + low).astype(np.float32)
