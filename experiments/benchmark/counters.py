"""What a step costs, counted, so that it is the same on every machine.

Run on PyTorch's meta device, where tensors have shapes and no numbers, a loop takes no time whatever the size
of its networks, and one that reads a number back (``.item()``, ``.tolist()``, ``if tensor:``) is an error.
"""

import weakref
from collections import Counter
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from experiments.cost.flops import FlopCount


class Counts(FlopCount):
    """Counts what runs inside, gradients included: floating-point operations and those below."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = 0
        """Of ATen, views left out: about the kernels that a GPU launches."""
        self.written = 0
        """Bytes of what they give: what a memory has to take."""
        self.fresh = 0
        """Those of them in memory that was not there before."""
        self.crossings: Counter[str] = Counter()
        """Operators by name that take tensors from device to device, or make them of Python's numbers, for
        which the host waits."""
        self.queued: Counter[str] = Counter()
        """Those that take their turn on the device, for which it does not."""
        self.reads: Counter[str] = Counter()
        """Operators by name that hand a number to Python, for which the host waits."""
        self.peak = 0
        """Most bytes that lay at one time in tensors made inside."""
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        given, old = {x.device for x in inputs}, {x.untyped_storage()._cdata for x in inputs}
        name = str(func.overloadpacket)
        if name == "aten._local_scalar_dense":
            self.reads[name] += 1
        out = super().__torch_dispatch__(func, types, args, kwargs)
        made = {x.device for x in tree_leaves(out) if isinstance(x, Tensor)}
        host_made = name == "aten.lift_fresh" and made != {torch.device("cpu")}
        if given and (len(given | made) > 1 or host_made):
            waited = not (kwargs or {}).get("non_blocking")
            (self.crossings if waited else self.queued)[name] += 1
        self.operators += not func.is_view
        for x in tree_leaves(out):
            if isinstance(x, Tensor) and not func.is_view:
                self.written += x.nbytes
            if isinstance(x, Tensor) and x.untyped_storage()._cdata not in old:
                self._born(x.untyped_storage())
        return out

    def _born(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._alive:
            self._alive[key] = storage.nbytes()
            self.fresh += storage.nbytes()
            weakref.finalize(storage, self._alive.pop, key, None)
            self.peak = max(self.peak, sum(self._alive.values()))

    def minus(self, other: "Counts") -> "Counts":
        """What this one counted more than ``other``; its own peak."""
        rest = Counts()
        rest.peak, rest.written = self.peak, self.written - other.written
        rest.fresh = self.fresh - other.fresh
        rest.flops, rest.operators = self.flops - other.flops, self.operators - other.operators
        rest.crossings, rest.queued = self.crossings - other.crossings, self.queued - other.queued
        rest.reads = self.reads - other.reads
        return rest


class Saved:
    """Counts the bytes that autograd keeps for a backward pass, each tensor once; not those of ``module``.

    Everything kept is held on to, so that no address is used twice: leave it soon.
    """

    def __init__(self, module: nn.Module):
        self.own = {x.untyped_storage()._cdata for x in (*module.parameters(), *module.buffers())}
        self.kept: dict[int, Tensor] = {}
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda x: x)

    @property
    def bytes(self) -> int:
        return sum(x.untyped_storage().nbytes() for x in self.kept.values())

    def _keep(self, x: Tensor) -> Tensor:
        key = x.untyped_storage()._cdata
        if key not in self.own:
            self.kept[key] = x.detach()
        return x

    def __enter__(self) -> Self:
        self.hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.hooks.__exit__(*error)
