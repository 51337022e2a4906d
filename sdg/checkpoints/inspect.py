"""What a weight file is, in a few lines."""

from collections.abc import Iterator
from pathlib import Path

from sdg.checkpoints.catalogue import named_by
from sdg.checkpoints.checkpoint import Checkpoint, open_checkpoint
from sdg.checkpoints.identify import identify
from sdg.checkpoints.layouts import rename
from sdg.checkpoints.places import OPEN_CLIP
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
    if checkpoint.note:
        yield "chosen", checkpoint.note
    yield from checkpoint.notes.items()
    sizes = checkpoint.outline.values()
    dtypes = sorted({str(x.dtype).removeprefix("torch.") for x in sizes if x.is_floating_point()})
    yield "tensors", f"{len(sizes):,} of {sum(x.numel() for x in sizes):,} numbers"
    yield "dtype", ", ".join(dtypes) or "no floating-point numbers"
    sha256 = file_hash(checkpoint.path)
    yield "sha256", sha256
    if card := named_by(sha256):
        yield "known as", f"{card.file}, {card.what}"
    yield from _architecture(checkpoint, str(path))


def _architecture(checkpoint: Checkpoint, path: str) -> Iterator[tuple[str, str]]:
    try:
        found = identify(checkpoint.outline, _quick_gelu(checkpoint, path))
    except SDGError as error:
        yield "architecture", f"none that can be loaded: {error}"
        return
    if found is None:
        yield "architecture", f"none known here; its first names: {_list(sorted(checkpoint.outline))}"
        return
    yield "architecture", found.name
    words = found.fits.replace("FILE", path)
    if found.network is None:
        yield "fits", words
        return
    own = found.network.state_dict()
    names = rename(checkpoint.outline.keys(), own.keys())
    state = {names[key]: value for key, value in checkpoint.outline.items() if key in names}
    problems = differences(state, own)
    yield ("nearest", f"{words}, which it does not fit: see below") if problems else ("fits", words)
    if found.arguments:
        yield "arguments", ", ".join(f"{key}={value}" for key, value in found.arguments.items())
    yield "assumed", found.assumed.replace("FILE", path)
    yield "parameters", f"{sum(parameter.numel() for parameter in found.network.parameters()):,}"
    yield "missing", _list(sorted(own.keys() - state.keys()))
    yield "left over", _list(sorted(state.keys() - own.keys()))
    yield "other shapes", _list([line for line in problems if " is (" in line])
    if others := [key for key in checkpoint.outline if key not in names and "." in key]:
        yield "not taken", _list(others)


def _quick_gelu(checkpoint: Checkpoint, path: str) -> bool | None:
    """Whether a CLIP's file tells that it was trained with QuickGELU; None if it does not tell."""
    if path.startswith(OPEN_CLIP):
        from sdg.checkpoints.clip import quick_gelu_of  # takes seconds to import

        return quick_gelu_of(path)
    return True if checkpoint.format == "TorchScript archive" else None  # OpenAI's are


def _list(names: list[str]) -> str:
    if not names:
        return "none"
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
