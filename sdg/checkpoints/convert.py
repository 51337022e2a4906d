"""Weight files made from others: the same weights in our format, an average, or only what has changed."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from sdg.checkpoints.changes import BASE, HASH, changes_of
from sdg.checkpoints.checkpoint import Checkpoint, open_checkpoint
from sdg.checkpoints.weights import differences, read_state, save_state
from sdg.errors import SDGError
from sdg.files import file_hash


def convert(path: str | Path, out: str | Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the weights at ``path`` as safetensors, floating-point tensors as ``dtype``.

    Raises:
        SDGError: as :func:`open_checkpoint`; numbers too large for ``dtype``; or ``out`` cannot be written.
    """
    checkpoint = open_checkpoint(path)
    notes = {"source": checkpoint.path.name} | checkpoint.notes
    _write(out, checkpoint.path, checkpoint.tensors(), notes, dtype)


def average(
    path: str | Path,
    other: str | Path,
    out: str | Path,
    share: float = 0.5,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write (1 - share) of the weights at ``path`` plus ``share`` of those at ``other``, as :func:`convert`.

    Where a network and its fine-tuned version behave differently, their average lies in between, as ``share``
    sets (Wortsman et al. 2022, arXiv 2109.01903). Integers are those of ``path``.

    Raises:
        SDGError: as :func:`convert`; the files are of different networks; or ``share`` is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise SDGError(f"--share {share:g} is no share: give a number from 0 to 1")
    checkpoint, second = open_checkpoint(path), read_state(other)
    _check_same(path, checkpoint, other, second)
    mixed = (
        (key, value.float().lerp(second[key].float(), share) if value.is_floating_point() else value)
        for key, value in checkpoint.tensors()
    )
    notes = {"average": f"{1 - share:g} of {checkpoint.path.name}, {share:g} of {Path(other).name}"}
    _write(out, checkpoint.path, mixed, notes, dtype)


def changes(path: str | Path, base: str | Path, out: str | Path, dtype: torch.dtype = torch.float16) -> None:
    """Write those weights at ``path`` that are not those at ``base``, as :func:`convert`.

    The file reads like a whole one as long as ``base`` lies beside it. Where a few parts of a network were
    fine-tuned, it is that much smaller.

    Raises:
        SDGError: as :func:`convert`; the files are of different networks; ``base`` would not be beside
            ``out``, or has wrappers around its weights; or nothing differs.
    """
    checkpoint, below = open_checkpoint(path), open_checkpoint(base)
    if below.path.parent.resolve() != Path(out).parent.resolve():
        raise SDGError(f"{out} is read with {below.path.name} beside it: name a file in {below.path.parent}")
    if not below.format.startswith("safetensors") or below.opened != checkpoint.opened:
        raise SDGError(f"{path} and {base} hold their weights in different ways: convert both first")
    before = dict(below.tensors())
    _check_same(path, checkpoint, base, before)
    state = {
        key: value.to(dtype) if value.is_floating_point() else value for key, value in checkpoint.tensors()
    }
    prefix = "".join(below.opened)
    changed = changes_of(state, before)
    if not changed:
        raise SDGError(f"{path} has the numbers of {base}: there is nothing to write")
    notes = checkpoint.notes | {BASE: below.path.name, HASH: file_hash(below.path)}
    _write(out, checkpoint.path, ((f"{prefix}{key}", value) for key, value in changed.items()), notes, dtype)


def _check_same(
    path: str | Path, checkpoint: Checkpoint, other: str | Path, state: dict[str, Tensor]
) -> None:
    if problems := differences(state, checkpoint.outline):
        raise SDGError(
            f"{path} and {other} are not of one network: {'; '.join(problems[:3])} "
            f"({len(problems)} such keys in all)"
        )


def _write(
    out: str | Path,
    source: Path,
    tensors: Iterator[tuple[str, Tensor]],
    notes: dict[str, str],
    dtype: torch.dtype,
) -> None:
    if Path(out).suffix != ".safetensors":
        raise SDGError(f"{out} does not end in .safetensors: give such a name")
    state = {}
    for key, value in tensors:
        state[key] = value.to(dtype) if value.is_floating_point() else value
        if value.is_floating_point() and (state[key].isfinite() != value.isfinite()).any():
            raise SDGError(f"{key} of {source} has numbers too large for {dtype}: use --dtype float32")
    try:
        save_state(out, state, notes, dtype)
    except OSError as error:
        raise SDGError(f"cannot write {out} ({error.strerror}): choose another place") from error
    print(f"wrote {len(state):,} tensors to {out}")
