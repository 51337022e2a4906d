"""Weight files that hold only what they change of another file: fine-tuned parts, at a part of the size."""

from pathlib import Path

from torch import Tensor

from sdg.errors import SDGError
from sdg.files import file_hash

BASE, HASH = "base", "base_sha256"
"""What such a file says of itself: the name of the file beside it that it changes, and that one's SHA-256."""


def base_of(path: Path, notes: dict[str, str]) -> Path | None:
    """The file that the one at ``path`` changes, or None if it is whole.

    Args:
        notes: what the file says of itself.

    Raises:
        SDGError: that file is not beside it, or is not the one it was made from.
    """
    if BASE not in notes:
        return None
    name = notes[BASE]
    base = path.parent / name
    if Path(name).name != name or not base.is_file():
        raise SDGError(f"{path} only changes parts of {name!a}, which is not beside it: fetch that too")
    if file_hash(base) != notes.get(HASH):
        raise SDGError(f"{path} changes parts of another {name} than the one beside it: fetch both anew")
    return base


def overlaid(path: Path, changes: dict[str, Tensor], base: dict[str, Tensor]) -> dict[str, Tensor]:
    """All tensors of ``base``, with the changed ones in their places.

    Raises:
        SDGError: a changed tensor that the base does not have, or of another shape.
    """
    for name, tensor in changes.items():
        if name not in base or base[name].shape != tensor.shape:
            raise SDGError(f"{path} changes {name!a}, which its base does not have so: fetch both anew")
    return {**base, **changes}


def changes_of(state: dict[str, Tensor], base: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of ``state`` that are not bit for bit those of ``base``, which has the same names."""
    return {
        name: tensor
        for name, tensor in state.items()
        if tensor.dtype != base[name].dtype or not tensor.equal(base[name])
    }
