"""Split: a UNet whose inner blocks need not be computed every time.

Along a chain, what a UNet's inner blocks give changes slowly and what its outer ones give does not (Ma et
al. 2023, "DeepCache", arXiv 2312.00858). With the outermost ``blocks`` on the way down and on the way up
alone, the way up begins with what it was handed when all was computed last:

    x_t -> in -> [outer down] -> (inner down, middle, inner up) -> [outer up] -> out
                                   kept from an earlier step
"""

import copy
from typing import Any

from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.unet import ADMUNet


class Split(nn.Module):
    """A network for one chain: whole while ``fresh``, else its outer blocks around what the others gave last.

    The blocks are the network's own, with its weights and its code; nothing of it is changed.

    Args:
        network: an :class:`ADMUNet`, diffusers' ``UNet2DModel``, or one that says by ``wraps`` which of its
            modules is such a network, of which it asks once.
        blocks: how many outer blocks, on the way down and on the way up, are computed every time.

    Raises:
        SDGError: a network of another kind, or one that has fewer blocks.
    """

    def __init__(self, network: nn.Module, blocks: int = 1):
        super().__init__()
        self.fresh, self._kept = True, _Kept()
        self.whole, self.outer = _views(network, blocks, self._kept)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """As the network's own."""
        return (self.whole if self.fresh else self.outer)(x_t, t)

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        if self._kept.given is not None:
            self._kept.given = self._kept.given[rows]


class _Kept(nn.Module):
    """Stands for the inner blocks: gives what they gave last, (B, C, H, W), whatever it is asked."""

    given: Tensor | None = None

    def forward(self, *asked: Any) -> Tensor | None:
        return self.given

    def note(self, block: nn.Module, asked: Any, given: Tensor) -> None:
        """Hook of the block after which the outer ones follow."""
        self.given = given


def _views(network: nn.Module, blocks: int, kept: _Kept) -> tuple[nn.Module, nn.Module]:
    """The network as a whole, keeping what is wanted, and the same without its inner blocks."""
    if wraps := getattr(network, "wraps", None):
        whole, outer = _views(getattr(network, wraps), blocks, kept)
        return _like(network, **{wraps: whole}), _like(network, **{wraps: outer})
    if isinstance(network, ADMUNet):
        down, middle, up = "input_blocks", "middle_block", "output_blocks"
    elif type(network).__name__ == "UNet2DModel":
        down, middle, up = "down_blocks", "mid_block", "up_blocks"
        _check(network)
    else:
        raise SDGError(
            f"sampler.reuse knows the blocks of ADM's UNets and of diffusers' UNet2DModel, and nothing of "
            f"{type(network).__name__}: use sampler.reuse=none"
        )
    descent, ascent = list(getattr(network, down)), list(getattr(network, up))
    if not isinstance(blocks, int) or not 1 <= blocks <= len(ascent):
        raise SDGError(
            f"sampler.reuse_blocks={blocks}: this UNet has {len(ascent)} blocks on the way up, "
            f"use 1 (only the outermost is computed every time) to {len(ascent)}"
        )
    first = len(ascent) - blocks
    before = ascent[first - 1] if first else getattr(network, middle)
    noted = _like(before)
    noted._forward_hooks = before._forward_hooks.copy()
    noted.register_forward_hook(kept.note)
    if first:
        whole = _like(network, **{up: nn.ModuleList([*ascent[: first - 1], noted, *ascent[first:]])})
    else:
        whole = _like(network, **{middle: noted})
    last = descent[blocks - 1]
    if getattr(last, "downsamplers", None) is not None:  # belongs to the inner blocks, which it leads to
        last = _like(last, downsamplers=None)
    parts = [*descent[: blocks - 1], last], ascent[first:]
    return whole, _like(network, **{down: nn.ModuleList(parts[0]), middle: kept, up: nn.ModuleList(parts[1])})


def _like(module: nn.Module, **parts: nn.Module | None) -> nn.Module:
    """A module with the same weights and the same code, but for some of its parts."""
    view = copy.copy(module)
    view._modules = {**module._modules, **parts}
    return view


def _check(network: Any) -> None:
    """Raise SDGError for a UNet2DModel whose blocks hand pictures on beside features."""
    if any(hasattr(block, "skip_conv") for block in network.up_blocks):
        raise SDGError(
            "the blocks of this UNet2DModel hand pictures on beside their features (SkipUpBlock2D), which "
            "sampler.reuse does not keep: use sampler.reuse=none"
        )
