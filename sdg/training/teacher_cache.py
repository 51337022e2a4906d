"""Cached embeddings of the teacher: the frozen encoder sees every picture once, not once per epoch."""

import os
import tempfile
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdg.progress import Bar
from sdg.training.ranks import Ranks

_CHECK = 4
"""Bytes of the checksum before an embedding."""


class TeacherCache:
    """A frozen image encoder with a cache, keyed by a picture's index and whether it is mirrored.

    The cache fills during training, in a file of the folder for temporary files that all processes of a
    machine share and that vanishes with them; what fits into main memory, the system keeps there, once for
    all. With CLIP RN50x16 a picture takes 6 kB, for its two views: FFHQ 0.4 GB, LSUN bedroom 19 GB. What is
    beyond ``gigabytes``, or beyond what the disk has left, is not kept: the encoder is asked again.

    Args:
        encode: images (B, 3, H, W) to embeddings (B, D), each independent of the others.
        gigabytes: the most that it takes.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor], gigabytes: float = 4.0):
        self.encode, self.limit = encode, round(gigabytes * 1e9)
        self._file: int | None = None
        self._row = 0
        """Bytes of an embedding and its checksum."""

    def __call__(self, images: Tensor, index: Tensor, flipped: Tensor) -> Tensor:
        """Float32 embeddings (B, D) of images (B, 3, H, W), identified by ``index`` and ``flipped``, (B,)."""
        if self._file is None:  # before anything that depends on the pictures: all ranks wait for each other
            self._file = _shared_file()
        keys = (2 * index + flipped.to(index)).tolist()
        known = {key: found for key in set(keys) if (found := self._read(self._file, key)) is not None}
        unknown = {key: row for row, key in enumerate(keys) if key not in known}
        if unknown:
            embeddings = self.encode(images[list(unknown.values())]).float().cpu()
            for key, embedding in zip(unknown, embeddings, strict=True):
                known[key] = embedding
                self._write(self._file, key, embedding)
        return torch.stack([known[key] for key in keys]).to(images.device)

    def _read(self, file: int, key: int) -> Tensor | None:
        record = os.pread(file, self._row, key * self._row)
        # Nothing was written there yet, or another process is just writing.
        if len(record) < self._row or record[:_CHECK] != _checksum(record[_CHECK:]):
            return None
        return torch.from_numpy(np.frombuffer(record, np.float32, offset=_CHECK).copy())

    def _write(self, file: int, key: int, embedding: Tensor) -> None:
        content = embedding.numpy().tobytes()
        self._row = _CHECK + len(content)
        if (key + 1) * self._row > self.limit:
            return
        try:
            os.pwrite(file, _checksum(content) + content, key * self._row)
        except OSError as error:
            self.limit = 0
            Bar.write(
                f"warning: {tempfile.gettempdir()} takes no more of the teacher's embeddings "
                f"({error.strerror}): the training goes on without; another place is TMPDIR=PATH"
            )


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECK, "little")


def _shared_file() -> int:
    """A new file that the processes of this machine have in common, and that no name leads to any more."""
    ranks = Ranks.current()
    path = Path(tempfile.gettempdir(), ranks.agree(f"sdg-teacher-{uuid.uuid4()}"))
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    ranks.wait()  # until all have opened it
    path.unlink(missing_ok=True)
    return file
