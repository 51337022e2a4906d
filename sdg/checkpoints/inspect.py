"""What a weight file is, in a few lines."""

from collections.abc import Iterator
from pathlib import Path

from sdg.checkpoints.checkpoint import Checkpoint, open_checkpoint
from sdg.checkpoints.identify import identify
from sdg.checkpoints.layouts import rename
from sdg.checkpoints.public import public_name
from sdg.checkpoints.weights import differences
from sdg.errors import SDGError
from sdg.files import file_hash

_SHOWN = 5
"""Names that are listed before the rest are only counted."""


def inspect(path: str | Path) -> Iterator[tuple[str, str]]:
    """Facts about a file as (name, value): its format, architecture, size, hash, and what does not fit.

    Raises:
        SDGError: as :func:`open_checkpoint`. Weights of an unknown network are no error.
    """
    checkpoint = open_checkpoint(path)
    yield "file", str(checkpoint.path)
    yield "format", checkpoint.format
    if checkpoint.opened:
        yield "opened", " > ".join(checkpoint.opened)
    yield from checkpoint.notes.items()
    sizes = checkpoint.outline.values()
    dtypes = sorted({str(x.dtype).removeprefix("torch.") for x in sizes if x.is_floating_point()})
    yield "tensors", f"{len(sizes):,} of {sum(x.numel() for x in sizes):,} numbers"
    yield "dtype", ", ".join(dtypes) or "no floating-point numbers"
    sha256 = file_hash(checkpoint.path)
    yield "sha256", sha256
    if name := public_name(sha256):
        yield "known as", name
    yield from _architecture(checkpoint)


def _architecture(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    try:
        found = identify(checkpoint.outline)
    except SDGError as error:
        yield "architecture", f"none that can be loaded: {error}"
        return
    if found is None:
        yield "architecture", f"none known here; its first names: {_list(sorted(checkpoint.outline))}"
        return
    yield "architecture", found.name
    yield "fits", found.fits.replace("FILE", str(checkpoint.path))
    if found.network is None:
        return
    if found.arguments:
        yield "arguments", ", ".join(f"{key}={value}" for key, value in found.arguments.items())
    yield "assumed", found.assumed
    yield "parameters", f"{sum(parameter.numel() for parameter in found.network.parameters()):,}"
    own = found.network.state_dict()
    names = rename(checkpoint.outline.keys(), own.keys())
    state = {names[key]: value for key, value in checkpoint.outline.items() if key in names}
    yield "missing", _list(sorted(own.keys() - state.keys()))
    yield "left over", _list(sorted(state.keys() - own.keys()))
    yield "other shapes", _list([line for line in differences(state, own) if " is (" in line])


def _list(names: list[str]) -> str:
    if not names:
        return "none"
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
