"""Several devices as one: each has its share of the batch and random numbers, and sees all embeddings."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
import torch.distributed as dist
from torch import Tensor


class Ranks(NamedTuple):
    """How many processes train together, and which of them this one is."""

    size: int = 1
    rank: int = 0

    @classmethod
    def current(cls) -> Self:
        """Those of PyTorch's process group, or a single process if there is none."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_world_size(), dist.get_rank())
        return cls()

    def share(self, draw: Callable[[int], Tensor], rows: int) -> Tensor:
        """This rank's ``rows`` rows of what ``draw`` gives for the whole batch, split as the pictures are.

        Every rank draws the numbers of all ranks, so a step does not depend on how many there are.
        """
        return draw(rows * self.size)[self.rank :: self.size]

    def agree(self, word: str) -> str:
        """The first rank's ``word``."""
        words = [word]
        if self.size > 1:
            dist.broadcast_object_list(words)
        return words[0]

    def wait(self) -> None:
        """Until all ranks have come this far."""
        if self.size > 1:
            dist.barrier()

    def gather(self, rows: Tensor) -> Tensor:
        """The rows (B, …) of all ranks, (size · B, …), in the order of ranks; differentiable.

        The gradient of a rank's rows is the sum of the gradients from all ranks. So if every rank computes
        the loss of the whole batch, the mean that DDP takes over ranks is the gradient of that loss.
        """
        return rows if self.size == 1 else _Gather.apply(rows, self)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        parts = [torch.empty_like(rows) for _ in range(ranks.size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(ctx.ranks.size)[ctx.ranks.rank], None
