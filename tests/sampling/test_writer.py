"""Writing on another thread: nothing waits for it, nothing is lost by it."""

import os
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sdg.errors import SDGError
from sdg.sampling.method import Sample
from sdg.sampling.plan import PlanEntry
from sdg.sampling.writer import StoreWriter


class Store:
    """Takes a batch when it is told to."""

    def __init__(self, broken: bool = False):
        self.done: set[int] = set()
        self.may_write, self.broken = threading.Event(), broken

    def write(self, entry: PlanEntry, *_: Any) -> None:
        assert self.may_write.wait(timeout=10)
        if self.broken:
            raise SDGError("the disk is full")
        self.done.add(entry.id)


def writer(store: Store) -> StoreWriter:
    made = StoreWriter()
    made.store = store  # type: ignore[assignment]
    return made


def trainer() -> Any:
    barriers: list[str] = []
    return SimpleNamespace(
        received_sigterm=False,
        local_rank=0,
        strategy=SimpleNamespace(barrier=barriers.append),
        barriers=barriers,
    )


def sample(number: int) -> Sample:
    entry = PlanEntry(id=number, prompt="a", reference=None, seed=0, index=number, scale=1.0)
    return Sample(entry, torch.zeros(3, 4, 4, dtype=torch.uint8), {}, None, None)


def test_the_next_batch_is_drawn_while_one_is_written() -> None:
    store, lightning = Store(), trainer()
    made = writer(store)
    made.write_on_batch_end(lightning, None, [sample(0), sample(1)])  # type: ignore[arg-type]
    assert store.done == set()  # it came back before anything was written
    store.may_write.set()
    made.write_on_batch_end(lightning, None, [sample(2)])  # type: ignore[arg-type]
    assert {0, 1} <= store.done
    made.on_predict_end(lightning, None)  # type: ignore[arg-type]
    assert store.done == {0, 1, 2}
    assert lightning.barriers == ["samples written"]


def test_a_process_that_never_comes_to_the_end_is_told() -> None:
    def closed(name: str) -> None:
        raise RuntimeError("Connection closed by peer")

    lightning = trainer()
    lightning.strategy.barrier = closed
    with pytest.raises(SDGError, match="has died: give the same command again"):
        writer(Store()).on_predict_end(lightning, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ["write_on_batch_end", "on_predict_end"])
def test_what_goes_wrong_is_raised_at_the_next_turn_and_once(end: str) -> None:
    store, lightning = Store(broken=True), trainer()
    store.may_write.set()
    made = writer(store)
    made.write_on_batch_end(lightning, None, [sample(0)])  # type: ignore[arg-type]
    arguments = ([sample(1)],) if end == "write_on_batch_end" else ()
    with pytest.raises(SDGError, match="disk is full"):
        getattr(made, end)(lightning, None, *arguments)
    made.on_exception(lightning, None, SDGError("the disk is full"))  # type: ignore[arg-type]


@pytest.mark.parametrize("why", ["told", "orphaned"])
def test_a_terminated_run_leaves_with_its_batch_written(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, lightning = Store(), trainer()
    store.may_write.set()
    made = writer(store)
    made.write_on_batch_end(lightning, None, [])  # type: ignore[arg-type]
    if why == "told":
        lightning.received_sigterm = True
    else:
        lightning.local_rank = 1
        monkeypatch.setattr(os, "getppid", lambda: 0)
    with pytest.raises(SystemExit) as left:
        made.write_on_batch_end(lightning, None, [sample(0)])  # type: ignore[arg-type]
    assert left.value.code == 143
    assert store.done == {0}
