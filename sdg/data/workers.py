"""A data loader whose workers end with the process that they read for."""

from collections.abc import Iterable
from typing import Any

from torch.utils.data import DataLoader, Dataset

from sdg.stopping import outlive


def loader(items: Dataset, requests: Iterable[Any], workers: int, pin_memory: bool = False) -> DataLoader:
    """Yields ``items[request]`` for every request, in order.

    Args:
        requests: what ``items`` is indexed by, such as a whole batch's numbers.
        workers: processes that read ahead; 0: this process reads.
    """
    return DataLoader(
        items,
        sampler=requests,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=outlive,
    )
