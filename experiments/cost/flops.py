"""Floating-point operations, and the models whose cost is measured."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

MODELS = {
    "toyfaces": ["prior=toyfaces", "encoder=toyfaces"],
    "ffhq": ["prior=ffhq", "encoder=rn50x16"],
    "lsun": ["prior=lsun_bedroom", "encoder=rn50x16"],
}


class FlopCount(TorchDispatchMode):
    """Adds up the floating-point operations of everything that runs inside, gradients included.

    torch's own FlopCounterMode tracks modules with hooks, which do not work with ``autograd.grad``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        return out
