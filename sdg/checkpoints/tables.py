"""The noise that a network was trained on, from numbers, from a file of them, or from its checkpoint."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sdg.checkpoints.checkpoint import in_one_line
from sdg.checkpoints.formats import format_of
from sdg.checkpoints.places import chosen, find_file
from sdg.errors import SDGError

Betas = Mapping[str, float] | Sequence[float] | str | None
"""``{start, end, steps}`` of a linear table, a table, ``checkpoint`` or a path; both may end in ``@NAME``."""

_LINEAR = {"start": 1e-4, "end": 0.02, "steps": 1000}
_BETA = re.compile(r"(^|[._])betas?(_?t)?$", re.IGNORECASE)
_BAR = re.compile(r"(^|[._])alphas?_?(cum_?prod|bars?|hat)(_?t)?$", re.IGNORECASE)
_TEXT = (".txt", ".csv", ".json", ".npy")


def read_alpha_bar(betas: Betas, checkpoint: str | None = None, first: int = 0) -> Tensor:
    """ᾱ of the steps that a network has learned, (T,) float64.

    A table is of β or of ᾱ: its name says which and, without a name, whether it falls.

    Args:
        checkpoint: the network's own file, for ``betas="checkpoint"``.
        first: entries at the beginning that are no noise or were not learned, 1 for tables of T + 1 entries.
            They count in the product all the same.

    Raises:
        SDGError: there is no such table, or it is none of a noise schedule.
    """
    name, table = _table(betas, checkpoint)
    what = f"betas={betas if isinstance(betas, str) else '…'}"
    if table.ndim != 1 or not len(table) or not table.isfinite().all():
        raise SDGError(f"{what} is no table of numbers: give one of T entries")
    falls = len(table) > 1 and bool((table.diff() < 0).all())
    given = _BAR.search(name) if name else falls
    if not given and not ((table >= 0) & (table < 1)).all():
        raise SDGError(
            f"{what} has entries outside of 0 … 1, which are no β: choose another, as in FILE@NAME"
        )
    alpha_bar = (table if given else (1 - table).cumprod(0))[first:]
    if len(alpha_bar) and alpha_bar[0] >= 1:
        raise SDGError(f"{what} begins with a step without noise: add prior.first={first + 1}")
    if not len(alpha_bar) or alpha_bar[-1] <= 0 or (alpha_bar.diff() >= 0).any():
        raise SDGError(
            f"{what} is no table of noise that grows within 0 … 1: choose another, as in FILE@NAME"
        )
    return alpha_bar


def _table(betas: Betas, checkpoint: str | None) -> tuple[str, Tensor]:
    """A table and its name, if it has one."""
    if isinstance(betas, str):
        text, entry = chosen(betas)
        return _in_file(checkpoint if text == "checkpoint" else text, entry)
    if betas is None or isinstance(betas, Mapping):
        wanted = _LINEAR | dict(betas or {})
        if strange := wanted.keys() - _LINEAR.keys():
            raise SDGError(f"betas has no {min(strange)}: give start, end and steps, or a table")
        steps = int(wanted["steps"])
        return "betas", torch.linspace(wanted["start"], wanted["end"], steps, dtype=torch.float64)
    return "", torch.as_tensor(betas, dtype=torch.float64)


def _in_file(path: str | None, entry: str | None) -> tuple[str, Tensor]:
    if path and Path(path).suffix in _TEXT:
        return "", _numbers(Path(path).expanduser())
    if path is None:
        raise SDGError("betas=checkpoint reads the prior's own file: give prior.checkpoint=PATH")
    file = find_file(chosen(path)[0], "prior.betas")
    with in_one_line(file):
        tables = dict(_tables("", format_of(file).read(file)))
    if entry is not None:
        found = [name for name in tables if name == entry or name.endswith(f".{entry}")]
    else:
        found = [name for kind in (_BETA, _BAR) for name in tables if kind.search(name)]
    if not found:
        held = f"it holds {', '.join(list(tables)[:4])}" if tables else "it holds no tables"
        raise SDGError(f"{path} has no table of {entry or 'β or ᾱ'}, {held}: give prior.betas in numbers")
    return found[0], tables[found[0]]


def _numbers(path: Path) -> Tensor:
    """The numbers in a text file, or in one of NumPy's."""
    try:
        if path.suffix == ".npy":
            return torch.from_numpy(np.load(path, allow_pickle=False)).double()
        text = path.read_text(encoding="utf-8")
        listed = json.loads(text) if path.suffix == ".json" else re.split(r"[\s,;]+", text.strip())
        return torch.tensor([float(number) for number in listed], dtype=torch.float64)
    except FileNotFoundError as error:
        raise SDGError(f"there is no {path}: check prior.betas") from error
    except (OSError, ValueError, TypeError) as error:
        raise SDGError(f"{path} holds no list of numbers ({error}): write one β a line") from error


def _tables(name: str, content: Any) -> Iterator[tuple[str, Tensor]]:
    """Every list of numbers in a file, by its dotted name."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _tables(f"{name}.{key}" if name else str(key), value)
    elif isinstance(content, Tensor):
        if content.is_floating_point() and content.numel() > 1 and content.squeeze().ndim == 1:
            yield name, content.detach().squeeze().double()
    elif (
        isinstance(content, list | tuple) and len(content) > 1 and all(isinstance(x, float) for x in content)
    ):
        yield name, torch.tensor(content, dtype=torch.float64)
