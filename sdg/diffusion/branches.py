"""Branches: the prior looks at a state while guidance does, where the two do not need each other's answer.

On a few cores, neither network of a small picture keeps them busy: its kernels are short. Two threads, each
with half of PyTorch's threads, then end a step sooner than one network after the other with all of them. A
network rounds by how many threads it has, so within a chain they are half of them everywhere, guided or not.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import torch

T = TypeVar("T")


class InTurn:
    """One branch after the other; a context that ends what was begun in it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin ``work``; what is returned gives its result, or raises what it raised."""
        result = work()
        return lambda: result

    @contextmanager
    def step(self) -> Iterator[None]:
        """What is computed in here shares the processor with what has begun, which ends in here."""
        yield


class SideBySide(InTurn):
    """What has begun runs in a thread of its own, none of which outlives the context."""

    def __init__(self) -> None:
        self.threads = torch.get_num_threads()
        self.each = max(1, self.threads // 2)
        self._worker = ThreadPoolExecutor(1, "prior", torch.set_num_threads, (self.each,))
        self._begun: list[Future[Any]] = []

    def __exit__(self, *error: object) -> None:
        self._worker.shutdown(cancel_futures=True)  # waits for what runs

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        begun = self._worker.submit(work)
        self._begun.append(begun)
        return begun.result

    @contextmanager
    def step(self) -> Iterator[None]:
        # Before anything begins and until it has ended: part of what PyTorch sets is common to all threads.
        torch.set_num_threads(self.each)
        try:
            yield
        finally:
            wait(self._begun)
            self._begun.clear()
            torch.set_num_threads(self.threads)


def branches(device: torch.device | str, side_by_side: bool) -> InTurn:
    """How the branches of a step run: side by side if asked for, on a CPU with two threads or more."""
    apart = side_by_side and torch.device(device).type == "cpu" and torch.get_num_threads() > 1
    return SideBySide() if apart else InTurn()
