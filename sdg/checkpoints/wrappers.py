"""What training programs put around weights: entries of a dictionary, averages beside raw ones, prefixes."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from sdg.errors import SDGError

State = dict[str, Tensor]
RAW, AVERAGE = "raw", "average"
"""The words that choose, behind a path and an @; so does the name of an entry or prefix."""

_USUAL = ("state_dict", "model", "model_state_dict", "params", "net", "network", "module", "weights")
"""Entries that hold the weights, in order of preference, where there are several."""
_AVERAGED = re.compile(r"(^|[^a-z])(ema|swa|averaged?)([^a-z]|$)", re.IGNORECASE)
_OTHERS = re.compile(r"optim|sched|scaler|buffer", re.IGNORECASE)
"""What trainings keep beside weights under the same names."""
_COUNTERS = ("n_averaged", "num_updates", "initted", "decay", "step")
"""Numbers that averages keep beside their weights."""


class Opened(NamedTuple):
    """The weights in a file."""

    state: State
    path: tuple[str, ...]
    """The entries and prefixes that were removed, outermost first; a prefix ends in a dot."""
    note: str | None
    """What was chosen where there was a choice."""


def unwrap(path: Path, content: Any, choice: str | None = None) -> Opened:
    """The flat mapping of names to tensors in ``content``: an average where there is one.

    Args:
        path: of the file, for messages.
        choice: ``raw``, ``average``, or the name of an entry or prefix; None takes the average and says so.

    Raises:
        SDGError: no such mapping, several that are equally good, or not what ``choice`` asks for.
    """
    found = list(_mappings(content))
    if not found:
        holds = f" but holds {_listed(content)}" if isinstance(content, dict) else ""
        what = "holds no tensors" if content == {} else f"is not a flat state dict{holds}"
        raise SDGError(f"{path} {what}: save model.state_dict() alone")
    branches = [
        (keys, branch, state)
        for keys, whole in found
        for branch, state in _branches(whole, inside_average=_averaged(*keys))
    ]
    averages = [entry for entry in branches if _averaged(*entry[0], entry[1])]
    others = [entry for entry in branches if entry not in averages]
    if choice is None or choice in (RAW, AVERAGE):
        pool = others if choice == RAW or (choice is None and not averages) else averages
    else:
        pool = [entry for entry in branches if choice in (*entry[0], entry[1], ".".join(entry[0]))]
        pool = pool or [(keys, choice, part) for keys, whole in found if (part := _below(whole, choice))]
    if not pool:
        raise SDGError(f"{path}@{choice} is not there: it holds {_listed(map(_name, branches))}")
    keys, branch, state = pool[0] if len(pool) == 1 else _usual(path, pool)
    note = None
    if choice is None and averages and others:
        note = f"of {path}, the average ({_name((keys, branch))}) is taken: {path}@{RAW} takes the others"
    removed = (*keys, *([f"{branch}."] if branch else []), *prefixes_of(state))
    return Opened(_stripped(state), removed, note)


def _mappings(content: Any) -> Iterator[tuple[tuple[str, ...], State]]:
    """Every non-empty mapping of names to tensors, and the keys that lead to it; each object once."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    seen = set[int]()
    while waiting:
        keys, value = waiting.pop(0)
        if not isinstance(value, dict) or id(value) in seen:
            continue
        seen.add(id(value))
        named = [key for key in value if isinstance(key, str) and key.isprintable()]
        if value and len(named) == len(value) and all(isinstance(x, Tensor) for x in value.values()):
            yield keys, value
        else:
            waiting += [((*keys, key), value[key]) for key in named if not _OTHERS.search(key)]


def _branches(state: State, inside_average: bool) -> Iterator[tuple[str, State]]:
    """One mapping, or two where it holds an average of its own other weights: (prefix or "", state)."""
    for head in heads_of(state):
        inner = _below(state, head)
        if not _averaged(head):
            continue
        rest = {key: value for key, value in state.items() if not key.startswith(f"{head}.")}
        inner = _without_counters(inner)
        if _stripped(inner).keys() <= {ending for key in rest for ending in _endings(key)}:
            yield head, inner
            if not inside_average:  # else it is a copy of what is averaged
                yield "", rest
            return
    counts = inside_average or "n_averaged" in state
    yield "", _without_counters(state) if counts else state


def prefixes_of(keys: Collection[str]) -> list[str]:
    """The names before every one of ``keys``, each with its dot, outermost first; numbers are none."""
    prefixes = list[str]()
    while len({key.partition(".")[0] for key in keys}) == 1 and all("." in key for key in keys):
        head = next(iter(keys)).partition(".")[0]
        if head.isdigit():
            break
        prefixes.append(f"{head}.")
        keys = [key.partition(".")[2] for key in keys]
    return prefixes


def heads_of(keys: Collection[str]) -> list[str]:
    """The first names of ``keys`` that have others below them, such as networks of one training."""
    heads = dict.fromkeys(key.partition(".")[0] for key in keys if "." in key)
    return [head for head in heads if not head.isdigit()]


def parts_of(state: Mapping[str, Tensor]) -> Iterator[State]:
    """A state dict without the names before all others; then each network in it, likewise."""
    yield _stripped(dict(state))
    for head in heads_of(state):
        yield _stripped(_below(dict(state), head))


def _stripped(state: State) -> State:
    length = len("".join(prefixes_of(state)))
    return {key[length:]: value for key, value in state.items()}


def _below(state: State, head: str) -> State:
    return {key.removeprefix(f"{head}."): value for key, value in state.items() if key.startswith(f"{head}.")}


def _without_counters(state: State) -> State:
    return {key: x for key, x in state.items() if key not in _COUNTERS or x.numel() != 1} or state


def _endings(key: str) -> Iterator[str]:
    while key:
        yield key
        key = key.partition(".")[2]


def _averaged(*names: str) -> bool:
    return any(_AVERAGED.search(name) for name in names)


def _usual(path: Path, pool: list[tuple[tuple[str, ...], str, State]]) -> tuple[tuple[str, ...], str, State]:
    for word in _USUAL:
        if inside := [entry for entry in pool if word in entry[0]]:
            return inside[0]
    raise SDGError(
        f"{path} holds the weights of several networks ({_listed(map(_name, pool))}): "
        f"choose one by its name, as in {path}@{_name(pool[0])}"
    )


def _name(entry: tuple[Any, ...]) -> str:
    """How a choice names a branch."""
    return ".".join([*entry[0], *([entry[1]] if entry[1] else [])]) or RAW


def _listed(names: Any) -> str:
    """A few names, on one line whatever they hold."""
    texts = [name if isinstance(name, str) else f"a {type(name).__name__}" for name in names]
    return f"{texts[:4]!a}"
