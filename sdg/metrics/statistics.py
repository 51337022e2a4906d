"""Reference statistics in files: safetensors with a note of where they are from."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.files import whole_file, write_whole
from sdg.metrics.frechet import Moments


def save_moments(path: Path, moments: Moments, origin: Mapping[str, str]) -> None:
    """Write moments; raises SDGError if that fails."""
    count = torch.tensor(moments.count)
    _save(path, {"count": count, "total": moments.total, "outer": moments.outer}, origin)


def save_text(path: Path, text: str) -> None:
    """Write a note; raises SDGError if that fails."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)


def load_moments(path: Path) -> Moments | None:
    """The moments in a file; None if there is no file. Raises SDGError for a damaged one."""
    if (found := _load(path, {"count", "total", "outer"})) is None:
        return None
    return Moments(int(found["count"]), found["total"], found["outer"])


def save_features(path: Path, count: int, batches: Iterable[Tensor], origin: Mapping[str, str]) -> None:
    """Write features (N, D) float32 batch by batch, so that they are never in memory as a whole.

    Args:
        count: N.
        batches: of (n, D), at least one.

    Raises:
        SDGError: writing fails, or what ``batches`` raises.
    """
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            for number, batch in enumerate(batches):
                if number == 0:
                    file.write(_head(count, batch.shape[1], origin))
                file.write(batch.contiguous().numpy().astype("<f4").tobytes())


def load_features(path: Path) -> Tensor:
    """The features in a file, mapped into memory; raises SDGError for a damaged one, or none."""
    if (found := _load(path, {"features"})) is None:
        raise SDGError(f"{path} has gone: evaluate again")
    return found["features"]


def read_statistics(path: Path, features: str, protocol: str, weights: str) -> Moments:
    """The moments that an earlier evaluation left in its cache, if they are of exactly these features.

    Raises:
        SDGError: there are no moments, or they are of other features, another protocol or other weights.
    """
    moments = load_moments(path)
    if moments is None:
        raise SDGError(f"there are no statistics at {path}: give a folder of pictures as the reference")
    with safetensors.safe_open(path, "pt") as file:
        origin = file.metadata() or {}
    mine = {"features": features, "protocol": protocol, "weights": weights}
    if other := [key for key, value in mine.items() if origin.get(key) != value]:
        key = other[0]
        raise SDGError(
            f"{path} holds statistics of another protocol ({key}: {origin.get(key, 'unknown')}, wanted: "
            f"{mine[key]}): give the folder of the reference's pictures instead"
        )
    return moments


def _save(path: Path, tensors: dict[str, Tensor], origin: Mapping[str, str]) -> None:
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, safetensors.torch.save(tensors, dict(origin)))


def _head(count: int, width: int, origin: Mapping[str, str]) -> bytes:
    """What precedes the numbers in a safetensors file of one tensor."""
    tensor = {"dtype": "F32", "shape": [count, width], "data_offsets": [0, 4 * count * width]}
    head = json.dumps({"__metadata__": dict(origin), "features": tensor}).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SDGError(
            f"cannot keep statistics in {path.parent} ({error.strerror}): choose another folder, cache=DIR"
        ) from error


def _load(path: Path, names: set[str]) -> dict[str, Tensor] | None:
    if not path.is_file():
        return None
    try:
        found = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise SDGError(f"{path} is damaged: delete it, it will be made again") from error
    if found.keys() != names:
        raise SDGError(
            f"{path} holds no {' or '.join(sorted(names))}: give the file of an evaluation's cache"
        )
    return found
