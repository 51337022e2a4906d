"""Tensors that are still in their file: where they are, and how to read one without the rest."""

import math
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

_PIECE = 1 << 22
"""Bytes converted from one dtype to another at a time."""


class Stored(NamedTuple):
    """One tensor of a file, as the file's index declares it."""

    offset: int
    """Offset of its first byte from the start of the file."""
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    """In elements; not negative."""

    @property
    def span(self) -> int:
        """Bytes from the first element to the last, both included."""
        if 0 in self.shape:
            return 0
        steps = sum((size - 1) * stride for size, stride in zip(self.shape, self.stride, strict=True))
        return (steps + 1) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes it takes in memory: more than its span if elements are repeated."""
        return math.prod(self.shape) * self.dtype.itemsize

    def outline(self) -> Tensor:
        """A tensor of its shape and dtype on the meta device, which holds no numbers."""
        return torch.empty(self.shape, dtype=self.dtype, device="meta")


class Reader:
    """Reads the tensors of an open file, each into its own memory.

    It uses no memory map, whose pages would stay in memory until it closes.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        # One buffer for all: short-lived ones would leave holes in memory between the tensors.
        self._piece = torch.empty(_PIECE, dtype=torch.uint8)

    def read(self, stored: Stored, dtype: torch.dtype | None = None) -> Tensor:
        """The tensor, contiguous, as ``dtype`` if one is given.

        Raises:
            EOFError: the file ends too soon.
        """
        if dtype in (None, stored.dtype) or stored.stride != contiguous(stored.shape):
            raw = torch.empty(stored.span, dtype=torch.uint8)
            self._fill(raw, stored.offset)
            return raw.view(stored.dtype).as_strided(stored.shape, stored.stride).contiguous().to(dtype)
        tensor, itemsize = torch.empty(stored.shape, dtype=dtype), stored.dtype.itemsize
        flat, count = tensor.view(-1), _PIECE // itemsize
        for start in range(0, len(flat), count):
            part = flat[start : start + count]
            piece = self._piece[: len(part) * itemsize]
            self._fill(piece, stored.offset + start * itemsize)
            part.copy_(piece.view(stored.dtype))
        return tensor

    def _fill(self, raw: Tensor, offset: int) -> None:
        self._file.seek(offset)
        if self._file.readinto(raw.numpy()) != len(raw):  # type: ignore[attr-defined]  # binary files have it
            raise EOFError("the file ends inside a tensor")


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a dense tensor in row-major order."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
