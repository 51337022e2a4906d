"""Writing on another thread: nothing waits for it, nothing is lost by it."""

import threading
from typing import Any

import pytest
import torch

from sdg.errors import SDGError
from sdg.sampling.method import Sample
from sdg.sampling.plan import PlanEntry
from sdg.sampling.writer import StoreWriter


class Store:
    """Takes a group when it is told to."""

    def __init__(self, broken: bool = False):
        self.done: set[int] = set()
        self.may_write, self.broken = threading.Event(), broken

    def write(self, entry: PlanEntry, *_: Any) -> None:
        assert self.may_write.wait(timeout=10)
        if self.broken:
            raise SDGError("the disk is full")
        self.done.add(entry.id)


def sample(number: int) -> Sample:
    entry = PlanEntry(id=number, prompt="a", reference=None, seed=0, index=number, scale=1.0)
    return Sample(entry, torch.zeros(3, 4, 4, dtype=torch.uint8), {}, None, None)


def test_the_next_group_is_drawn_while_one_is_written() -> None:
    store = Store()
    take = StoreWriter(store)  # type: ignore[arg-type]
    take([sample(0), sample(1)])
    assert store.done == set()  # it came back before anything was written
    store.may_write.set()
    take([sample(2)])
    assert {0, 1} <= store.done
    take.wait()
    assert store.done == {0, 1, 2}


@pytest.mark.parametrize("end", ["the next group", "the end"])
def test_what_goes_wrong_is_raised_at_the_next_turn_and_once(end: str) -> None:
    store = Store(broken=True)
    store.may_write.set()
    take = StoreWriter(store)  # type: ignore[arg-type]
    take([sample(0)])
    with pytest.raises(SDGError, match="disk is full"):
        take([sample(1)]) if end == "the next group" else take.wait()
    take.wait()
