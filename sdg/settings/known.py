"""Which settings there are: a name that nothing reads is refused, with the nearest one that is known."""

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sdg.errors import SDGError
from sdg.settings.signatures import keywords

_HYDRA = {"_target_", "_args_", "_recursive_", "_partial_", "_convert_"}
_BUILT = ("callbacks", "features", "guidance.terms", "logger", "metrics")
"""Collections in which everybody may add objects under names of their own."""
_EMPTY = ("callbacks", "constraint", "logger", "population")
"""Groups that may be null."""
_SEEDS = 1 << 32
_KINDS: dict[str, tuple[Any, str]] = {
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
}
"""What annotated arguments accept, in Python and in words."""


def check(settings: Mapping[str, Any], top: Sequence[str], folders: Sequence[Path]) -> None:
    """Refuse what nothing would read, in the settings of a command with their interpolations unresolved.

    Args:
        top: the names at the top level.
        folders: where the files of the configuration groups are.

    Raises:
        SDGError: a name that nothing reads, an object without a class, a group that is null, or a seed
            outside 0…4294967295.
    """
    for place, node in nodes(settings):
        names = _names(place, node, folders) if place else dict.fromkeys(top, "")
        for key in node:
            if names is not None and key not in names and key not in _HYDRA:
                known = {name: value for name, value in settings.items() if name in top}
                raise SDGError(unknown(_join(place, key), known, folders))
            _check_kind(_join(place, key), node[key], (names or {}).get(key, ""))
        if place in _BUILT:
            _check_objects(place, node, folders)
    for key, value in settings.items():
        if value is None and key not in _EMPTY and (options := choices(folders, key)):
            raise SDGError(f"{key}=null names nothing: choose {key}={'|'.join(options)}")
    seed = settings.get("seed")
    if isinstance(seed, int) and not 0 <= seed < _SEEDS:
        raise SDGError(f"seed={seed} is out of range: use a whole number from 0 to {_SEEDS - 1}")


def choices(folders: Sequence[Path], group: str) -> list[str]:
    """The options of a configuration group; none if there is no such group."""
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def _names(place: str, node: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, str] | None:
    """What is read in a mapping, with annotations; None: any name."""
    if "_target_" in node:
        return keywords(node["_target_"])
    # What no single constructor takes: one of the group's files has each name that is read.
    alone = place and "." not in place and place not in _BUILT
    return _in_files(place, tuple(folders)) if alone else None


@functools.cache
def _in_files(group: str, folders: tuple[Path, ...]) -> dict[str, str] | None:
    texts = [path.read_text(encoding="utf-8") for at in folders for path in (at / group).glob("*.yaml")]
    names = {name for text in texts for name in re.findall(r"^([a-zA-Z]\w*):", text, re.MULTILINE)}
    return dict.fromkeys(sorted(names - {"defaults"}), "") or None


def unknown(typed: str, settings: Mapping[str, Any], folders: Sequence[Path]) -> str:
    """The line about a name that is none: with the known one that it resembles, or with those at its place.

    Args:
        typed: the dotted name.
        settings: those that are known.
    """
    place, beside = typed.rpartition(".")[0], list[str]()
    known = ["experiment"]  # a group that is not among the settings
    for at, node in nodes(settings):
        here = dict.fromkeys([*node, *(_names(at, node, folders) or ())])
        if at == place and (key := typed.removeprefix(f"{place}.")) in here and key not in node:
            return f"{typed} is a setting without a value so far: write +{typed}=VALUE"
        names = [name for name in here if name not in _HYDRA and _join(at, name) != typed]
        known += [_join(at, name) for name in names]
        beside = names if at == place else beside
    if meant := _nearest(typed, known):
        return f"{typed} is no setting: did you mean {'+' * (meant == 'experiment')}{meant}?"
    where = f" in {place}" if place else ""
    return f"{typed} is no setting: {'choose among ' + ', '.join(beside) + where if beside else 'see --help'}"


def _nearest(typed: str, known: Iterable[str]) -> str | None:
    """The known dotted name that a typed one resembles most; its last part alone may tell."""
    place, _, key = typed.rpartition(".")
    last = {name: name.rpartition(".")[2] for name in known if name != typed}
    beside = {last[name]: name for name in last if name == _join(place, last[name])}
    if close := difflib.get_close_matches(key, beside, n=1, cutoff=0.7):
        return beside[close[0]]
    close = difflib.get_close_matches(key, last.values(), n=1, cutoff=0.8)
    same = [name for name in last if close and last[name] == close[0]]
    # What stands near the top reaches furthest; of two as near, the more similar one.
    return min(
        same,
        key=lambda name: (name.count("."), -difflib.SequenceMatcher(None, typed, name).ratio()),
        default=None,
    )


def _check_kind(name: str, value: Any, annotation: str) -> None:
    """Raise SDGError for a value that is clearly not of the annotated kind."""
    kind = annotation.removesuffix(" | None")
    if kind not in _KINDS or (isinstance(value, str) and "${" in value) or isinstance(value, Mapping):
        return
    accepted, words = _KINDS[kind]
    fits = isinstance(value, accepted) and (kind == "bool") == isinstance(value, bool)
    if not (fits or (value is None and kind != annotation)):
        raise SDGError(f"{name}={'null' if value is None else value} does not fit: give {words}")


def _check_objects(place: str, node: Mapping[str, Any], folders: Sequence[Path]) -> None:
    group = place.partition(".")[0]
    for name, value in node.items():
        if isinstance(value, str) or (isinstance(value, Mapping) and "_target_" in value):
            continue
        whole = _join(place, name)
        if value is None:
            raise SDGError(f"{whole}=null is nothing that can be built: leave it out with ~{whole}")
        shown = _target_like(name, [folder / group for folder in folders]) or "package.module.Class"
        raise SDGError(f"{whole} does not say what it is: give it a class, as {{_target_: {shown}, …}}")


def _target_like(name: str, folders: Sequence[Path]) -> str | None:
    """The class of the object of this name in the files of a group, or in a file of this name."""
    within = re.compile(rf"\b{re.escape(name)}:\s*\{{?\s*_target_: *([\w.]+)")
    for path in [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]:
        text = path.read_text(encoding="utf-8")
        alone = path.stem == name and path.parent not in folders
        own = re.search(r"^_target_: *([\w.]+)", text, re.MULTILINE) if alone else None
        if match := own or within.search(text):
            return match[1]
    return None


def nodes(value: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping in a tree of settings, by dotted name; the items of lists have numbers."""
    if isinstance(value, Mapping):
        yield place, value
        children: Iterable[tuple[Any, Any]] = value.items()
    else:
        children = enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from nodes(child, _join(place, key))


def _join(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)
