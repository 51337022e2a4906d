"""What all tests share, and what ``matrix.py`` varies: threads, numbers too small to be normal, the order."""

import os
import random
from collections.abc import Iterator

import pytest
import torch

THREADS = os.environ.get("SDG_TEST_THREADS", "1")
os.environ["OMP_NUM_THREADS"] = THREADS  # for the commands that tests start


@pytest.fixture(autouse=True, scope="session")
def arithmetic() -> Iterator[None]:
    """Tiny networks are fastest on one thread, and `make test` runs a process for each core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(int(THREADS))
    torch.set_flush_denormal("SDG_TEST_FLUSH_DENORMALS" in os.environ)
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def unguarded() -> Iterator[None]:
    """A command that a test calls as a function does not take the signals of the tests' own process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdg.config.listen", lambda: None)
        patch.setattr("sdg.config.guard", lambda: None)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With a seed, files and the tests of each come in an order of chance, the same in every process."""
    if seed := os.environ.get("SDG_TEST_ORDER"):
        chance = random.Random(seed)
        place = {path: chance.random() for path in dict.fromkeys(item.path for item in items)}
        chance.shuffle(items)
        items.sort(key=lambda item: place[item.path])
