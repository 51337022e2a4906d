"""Weights in files: written whole, read strictly and one tensor at a time; no code in them is ever run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from sdg.checkpoints.checkpoint import open_checkpoint
from sdg.checkpoints.identify import describe
from sdg.checkpoints.layouts import rename
from sdg.errors import SDGError
from sdg.files import whole_path

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def save_weights(
    path: str | Path,
    module: nn.Module,
    metadata: dict[str, str] | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a module's state dict as safetensors, floating-point tensors as ``dtype``."""
    save_state(path, module.state_dict(), metadata, dtype)


def save_state(
    path: str | Path,
    state: Mapping[str, Tensor],
    metadata: dict[str, str] | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a state dict as safetensors, floating-point tensors as ``dtype``; whole or not at all.

    A tensor with numbers too large for ``dtype`` is stored in float32, with a warning.

    Raises:
        SDGError: there is no room on the disk, or a number is not finite.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    converted = {
        key: value.detach().to("cpu", dtype if value.is_floating_point() else None).contiguous()
        for key, value in state.items()
    }
    for key in [key for key, value in converted.items() if not value.isfinite().all()]:
        converted[key] = state[key].detach().to("cpu", torch.float32).contiguous()
        if not converted[key].isfinite().all():
            raise SDGError(f"{key} is not finite, so {path} was not written: keep to the weights before")
        print(f"warning: {key} is too large for {dtype}: stored as float32 in {path}")
    try:
        with whole_path(path) as part:
            safetensors.torch.save_file(converted, part, metadata)
    except safetensors.SafetensorError as error:
        raise SDGError(f"cannot write {path} ({error}): make room and give the same command again") from error


def read_state(path: str | Path | None) -> dict[str, Tensor]:
    """All tensors of a file, on the CPU; see :func:`open_checkpoint` for what it may be.

    Raises:
        SDGError: as :func:`open_checkpoint`.
    """
    return dict(open_checkpoint(path).tensors())


@contextmanager
def unfilled() -> Iterator[None]:
    """Modules built inside have parameters on the meta device, which take no memory and no time.

    :func:`load_weights` fills them. Buffers and everything else are made as usual.
    """

    def unfill(_module: nn.Module, _name: str, parameter: nn.Parameter) -> nn.Parameter:
        if _filled.get():
            return parameter
        return nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)

    # torch declares such hooks without a return value, but documents one.
    handle = register_module_parameter_registration_hook(unfill)  # type: ignore[arg-type]
    try:
        with _NoFilling():
            yield
    finally:
        handle.remove()


@contextmanager
def filled() -> Iterator[None]:
    """Modules built inside have weights with values, even under :func:`unfilled`: their code may use them."""
    token = _filled.set(True)
    try:
        yield
    finally:
        _filled.reset(token)


_filled: ContextVar[bool] = ContextVar("filled", default=False)


class _NoFilling(TorchFunctionMode):
    """Draws no weights that take no memory: for that alone PyTorch would import its compiler."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        tensor = args[0] if args else kwargs.get("tensor")
        draws = func in (Tensor.normal_, Tensor.uniform_)
        draws = draws or getattr(func, "__module__", None) == "torch.nn.init"
        if draws and isinstance(tensor, Tensor) and tensor.is_meta:
            return tensor
        return func(*args, **kwargs)


@torch.no_grad()
def load_weights(
    module: ModuleT,
    path: str | Path | None,
    dtype: torch.dtype | None = None,
    ignore: Sequence[str] = (),
) -> ModuleT:
    """Load ``path`` into ``module`` strictly; returns the module.

    Public names are translated to ours. The file is read one tensor at a time, so memory holds at most one of
    them besides the module; a module built under :func:`unfilled` gets its memory here.

    Args:
        path: see :func:`open_checkpoint`.
        dtype: dtype of the module's floating-point tensors afterwards; None leaves each as it is.
        ignore: names in the file that are not the module's, such as its tables; ``*`` stands for anything.

    Raises:
        SDGError: as :func:`open_checkpoint`; also if keys are missing, left over or of another shape: which
            keys, and what the file is for instead.
    """
    checkpoint, own = open_checkpoint(path), module.state_dict()
    offered = [key for key in checkpoint.outline if not any(fnmatchcase(key, pattern) for pattern in ignore)]
    names = rename(offered, own.keys())
    if checkpoint.note:
        print(f"note: {checkpoint.note}")
    if others := [key for key in offered if key not in names and "." in key]:
        print(f"note: {len(others)} tensors of {path} are of other networks ({others[0]}, …) and not taken")
    renamed = {names[key]: value for key, value in checkpoint.outline.items() if key in names}
    if problems := differences(renamed, own):
        shown = "; ".join(problems[:3])
        raise SDGError(
            f"{path} does not fit {type(module).__name__}: {shown} ({len(problems)} such keys in all); "
            f"{describe(checkpoint.outline)}"
        )
    targets = {key: own[name] for key, name in names.items()}
    dtypes = {
        key: dtype if dtype and target.is_floating_point() else target.dtype
        for key, target in targets.items()
    }
    filled = {}
    for key, value in checkpoint.tensors(dtypes):
        if key in targets and targets[key].is_meta:
            filled[names[key]] = value.reshape(targets[key].shape)
        elif key in targets:
            targets[key].copy_(value.reshape(targets[key].shape))
    module.load_state_dict(filled, strict=False, assign=True)
    tensors = (*module.parameters(), *module.buffers())
    if dtype is None or all(x.dtype == dtype for x in tensors if x.is_floating_point()):
        return module  # diffusers would warn of a cast that casts nothing
    return module.to(dtype)


def differences(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Why a state dict does not fit a module's ``own``: one phrase for each name, sorted."""
    problems = [f"{key} is missing" for key in own.keys() - state.keys()]
    problems += [f"{key} is left over" for key in state.keys() - own.keys()]
    problems += [
        f"{key} is {tuple(state[key].shape)} where {tuple(own[key].shape)} is needed"
        for key in own.keys() & state.keys()
        if _plain_shape(own[key]) != _plain_shape(state[key])
    ]
    problems += [
        f"{key} is {str(state[key].dtype).removeprefix('torch.')}, which makes no weights: convert it"
        for key in own.keys() & state.keys()
        if not torch.can_cast(state[key].dtype, torch.float32)
    ]
    return sorted(problems)


def _plain_shape(weight: Tensor) -> tuple[int, ...]:
    """The shape of a weight, where a convolution of size 1, in however many dimensions, is a matrix."""
    rows, *rest = weight.shape if weight.ndim else (0,)
    while len(rest) > 1 and rest[-1] == 1:
        rest.pop()
    return (rows, *rest)
