"""What a step costs, in counts that are the same on every machine.

On PyTorch's meta device, where tensors have shapes but no data, a loop takes no time whatever the size of its
networks, and reading a number back (``.item()``, ``.tolist()``, ``if tensor:``) is an error.
"""

import weakref
from collections import Counter
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from experiments.cost.flops import FlopCount


class Counts(FlopCount):
    """Counts what runs inside, gradients included: floating-point operations and the following."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = 0
        """ATen operators without views: about as many as the kernels that a GPU launches."""
        self.written = 0
        """Bytes of their outputs, which memory has to take."""
        self.fresh = 0
        """Those of them that are in newly allocated memory."""
        self.crossings: Counter[str] = Counter()
        """Operators, by name, that move tensors between devices or make them from Python's numbers while the
        host waits."""
        self.queued: Counter[str] = Counter()
        """Those that are queued on the device, so the host does not wait."""
        self.reads: Counter[str] = Counter()
        """Operators, by name, that return a number to Python, for which the host waits."""
        self.peak = 0
        """Most bytes held at one time by tensors made inside."""
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
        """These counts minus those of ``other``; the peak is not reduced."""
        rest = Counts()
        rest.peak, rest.written = self.peak, self.written - other.written
        rest.fresh = self.fresh - other.fresh
        rest.flops, rest.operators = self.flops - other.flops, self.operators - other.operators
        rest.crossings, rest.queued = self.crossings - other.crossings, self.queued - other.queued
        rest.reads = self.reads - other.reads
        return rest


class Saved:
    """Counts the bytes that autograd keeps for a backward pass, each tensor once; not those of ``module``.

    All that is kept stays alive, so that no address is reused: leave the context soon.
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
