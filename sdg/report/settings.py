"""The settings of runs, and those in which runs differ."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from sdg.errors import SDGError

_LEFT_OUT = ("contents", "paths")
"""Ignored: settings that say where things are, and file hashes."""
_LONGEST = 48
"""Maximum length of a setting in a table."""


def read_settings(path: Path) -> dict[str, str]:
    """The settings in a run's ``config.yaml`` as text, by dotted name; empty if there is no file.

    Raises:
        SDGError: the file cannot be read.
    """
    if not path.is_file():
        return {}
    return dict(leaves({key: value for key, value in load_settings(path).items() if key not in _LEFT_OUT}))


def read_contents(path: Path) -> tuple[str, ...]:
    """What a run's ``config.yaml`` says of the files that it depends on; empty if there is no file."""
    return tuple(load_settings(path).get("contents", ())) if path.is_file() else ()


def load_settings(path: Path) -> dict[str, Any]:
    """A ``config.yaml`` as plain data, with interpolations unresolved.

    Raises:
        SDGError: the file cannot be read.
    """
    try:
        tree = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise SDGError(f"{path} holds no settings of a run: repeat its command, or move it away") from error
    return {str(key): value for key, value in tree.items()} if isinstance(tree, dict) else {}


def differing(every: Sequence[Mapping[str, str]]) -> list[str]:
    """Names of the settings in which runs differ, among runs that have any."""
    known = [settings for settings in every if settings]
    names = dict.fromkeys(name for settings in known for name in settings)
    return [name for name in names if len({settings.get(name) for settings in known}) > 1]


def short(text: str) -> str:
    """A setting cut to one line of a table."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting in a tree as text, by dotted name."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, tree if isinstance(tree, str) else json.dumps(tree, ensure_ascii=False)
