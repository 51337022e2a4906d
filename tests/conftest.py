"""What all tests share, and what ``matrix.py`` varies: threads, and numbers too small to be normal."""

import os
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
