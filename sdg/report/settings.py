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
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise SDGError(f"{path} holds no settings of a run: repeat its command, or move it away") from error
    if not isinstance(tree, dict):
        return {}
    return dict(_leaves("", {key: value for key, value in tree.items() if key not in _LEFT_OUT}))


def differing(every: Sequence[Mapping[str, str]]) -> list[str]:
    """Names of the settings in which runs differ, among runs that have any."""
    known = [settings for settings in every if settings]
    names = dict.fromkeys(name for settings in known for name in settings)
    return [name for name in names if len({settings.get(name) for settings in known}) > 1]


def short(text: str) -> str:
    """A setting cut to one line of a table."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _leaves(prefix: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), value)
    else:
        yield prefix, node if isinstance(node, str) else json.dumps(node, ensure_ascii=False)
