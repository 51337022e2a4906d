"""Gradient checkpointing of the time-dependent ResNet: blocks recompute their maps when needed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sdg.errors import SDGError
from sdg.networks.clip_blocks import Bottleneck, FiLM

NORMS = 3
"""Number of modulated norms in a bottleneck; each takes one (scale, shift)."""


class RecomputedBottleneck(Bottleneck):
    """A bottleneck that keeps only its input for the backward pass; gradients and statistics are the same."""

    def forward(self, x: Tensor, film: FiLM | None = None) -> Tensor:
        if not (self.training and torch.is_grad_enabled()):
            return super().forward(x, film)
        block = super().forward
        pairs = None if film is None else [next(film) for _ in range(NORMS)]
        # The recomputation needs its own iterator, and must not update the running statistics again.
        return checkpoint(
            lambda x: block(x, None if pairs is None else iter(pairs)),
            x,
            use_reentrant=False,
            context_fn=lambda: _contexts(self),
        )


def recompute_blocks(network: nn.Module) -> None:
    """Make the bottlenecks of ``network`` recompute themselves; parameter and buffer names do not change.

    Raises:
        SDGError: there are no bottlenecks.
    """
    blocks = [module for module in network.modules() if type(module) is Bottleneck]
    if not blocks:
        raise SDGError("only ResNets can recompute their blocks: use model.checkpointing=false")
    for block in blocks:
        block.__class__ = RecomputedBottleneck


def _contexts(block: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), _still(block)


@contextmanager
def _still(block: nn.Module) -> Iterator[None]:
    """Keep the running statistics of a block's norms unchanged."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    counts = [norm.num_batches_tracked.clone() for norm in norms if norm.num_batches_tracked is not None]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked.copy_(count)
