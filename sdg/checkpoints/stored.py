"""A tensor that still lies in its file: where it is, and how it is read without the rest."""

import math
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor


class Stored(NamedTuple):
    """One tensor of a file, as the file's index declares it."""

    offset: int
    """Of its first byte, from the beginning of the file."""
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
        """Its shape and dtype, as a tensor on the meta device, which holds no numbers."""
        return torch.empty(self.shape, dtype=self.dtype, device="meta")

    def read(self, file: BinaryIO) -> Tensor:
        """The tensor itself, contiguous; raises EOFError where the file ends too soon."""
        # Into a buffer of its own and not a memory map, whose pages would stay ours until it closes.
        raw = torch.empty(self.span, dtype=torch.uint8)
        file.seek(self.offset)
        if file.readinto(raw.numpy()) != self.span:  # type: ignore[attr-defined]  # binary files have it
            raise EOFError("the file ends inside a tensor")
        return raw.view(self.dtype).as_strided(self.shape, self.stride).contiguous()


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a dense tensor in row-major order."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
