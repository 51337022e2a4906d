"""Branches: the prior looks at a state while guidance does, where the two do not need each other's answer.

On a few cores, neither network of a small picture keeps them busy: its kernels are short. Two threads, each
with half of PyTorch's threads, then end a step sooner than one network after the other with all of them. A
network rounds by how many threads it has, so within a chain they are half of them everywhere, guided or not.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self, TypeVar

import torch

T = TypeVar("T")


class InTurn:
    """One branch after the other; a context that ends what was begun in it."""

    flushes = False
    """Whether the calling thread takes tiny numbers for 0 anyway."""

    def __enter__(self) -> Self:
        self.flushes = bool(torch.full((1,), 1e-39, device="cpu") * 1 == 0)
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin ``work``; what is returned gives its result, or raises what it raised."""
        result = work()
        return lambda: result

    @contextmanager
    def step(self) -> Iterator[None]:
        """What is computed in here shares the processor with what has begun, whose result is taken in here.

        Numbers too small to be normal, below 1.2e-38 in float32, are 0. Where a softmax is sure of itself,
        its gradient is full of them; a processor multiplies them a hundred times more slowly than others,
        and nothing that they are added to would change.
        """
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(self.flushes)


class SideBySide(InTurn):
    """What has begun runs in a thread of its own, none of which outlives the context."""

    def __init__(self) -> None:
        self.threads = torch.get_num_threads()
        self.each = max(1, self.threads // 2)
        self._worker = ThreadPoolExecutor(1, "prior", _prepare, (self.each,))

    def __exit__(self, *error: object) -> None:
        self._worker.shutdown(cancel_futures=True)  # waits for what runs

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        return self._worker.submit(work).result

    @contextmanager
    def step(self) -> Iterator[None]:
        # Before anything begins and until it has ended: part of what PyTorch sets is common to all threads.
        torch.set_num_threads(self.each)
        try:
            with super().step():
                yield
        finally:
            torch.set_num_threads(self.threads)


def _prepare(threads: int) -> None:
    """What PyTorch keeps for each thread, in a new one."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


def branches(device: torch.device | str, side_by_side: bool) -> InTurn:
    """How the branches of a step run: side by side if asked for, on a CPU with two threads or more."""
    apart = side_by_side and torch.device(device).type == "cpu" and torch.get_num_threads() > 1
    return SideBySide() if apart else InTurn()
