"""The words of a command line before Hydra reads them: what people type, and Hydra would misread."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from sdg.errors import SDGError
from sdg.settings.experiments import command_of, list_experiments
from sdg.settings.known import choices
from sdg.words import typed, written

_HOME = re.compile(r"(?<=[=\[,])(\s*)(~[\w.-]*)(?=/|\s*[\],]|$)")
"""``~`` or ``~name`` where a path begins, outside of quotes."""
_CHOICE = re.compile(r"([\w/]+)=(.*)", re.DOTALL)
_NO_GROUP = {
    "callbacks": "callbacks=[]",
    "constraint": "~constraint",
    "population": "~population",
    "logger": "logger=[]",
}
"""How Hydra wants it said that there is nothing in a group."""
_WITH_VALUE = {
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--cfg", "-c"),
    *("--package", "-p", "--info", "-i", "--experimental-rerun"),
}
"""Hydra's flags whose value is the next word."""


def settings_in(words: Sequence[str]) -> list[str]:
    """The words that are no flags of Hydra and no values of them."""
    before = ["", *words]
    return [
        word
        for flag, word in zip(before, words, strict=False)
        if not word.startswith("-") and flag not in _WITH_VALUE
    ]


def tidy(command: str, words: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The words, with ``~`` for the home folder and ``group=null`` as Hydra takes them.

    Args:
        folders: where the files of the configuration groups are.

    Raises:
        SDGError: a sentence where a setting is expected, an experiment of another command, or a group that
            cannot be null.
    """
    if bare := [word for word in settings_in(words) if _is_bare(word)]:
        raise SDGError(_what_to_type(command, bare, words, folders))
    return [_tidy(command, word, folders) for word in words]


def _tidy(command: str, word: str, folders: Sequence[Path]) -> str:
    if match := _CHOICE.fullmatch(word.lstrip("+")):
        group, value = match.groups()
        if group == "experiment":
            _check_experiment(command, value, folders)
        elif group == "output_dir" and value in ("", "''", '""'):
            raise SDGError(f"{word} names no folder: give output_dir=PATH, or . for this one")
        elif value == "null" and not word.startswith("+") and (options := choices(folders, group)):
            if group not in _NO_GROUP:
                raise SDGError(f"{word} names nothing: choose {group}={'|'.join(options)}")
            return _NO_GROUP[group]
    if word.startswith("~") and word[1:] in _NO_GROUP:
        return _NO_GROUP[word[1:]]
    return word if word.startswith("prompts=") or "=" not in word else _HOME.sub(_at_home, word)


def _at_home(match: re.Match[str]) -> str:
    path = os.path.expanduser(match[2])
    # Other names would need quotes, which Hydra's own message asks for.
    return match[1] + (path if re.fullmatch(r"[\w/.+-]+", path) else match[2])


def _is_bare(word: str) -> bool:
    """Whether a word neither sets nor deletes (``~key``) a setting."""
    return "=" not in word and not re.fullmatch(r"~[\w.@/]+", word)


def _what_to_type(command: str, bare: Sequence[str], words: Sequence[str], folders: Sequence[Path]) -> str:
    """The line about words that are no settings: what to type instead, if it can be told."""
    others = [shlex.quote(word) for word in words if word not in bare]
    said = " ".join(bare)
    setting = ""
    if command == "sample":
        setting = shlex.quote(f"prompts={written([said])}")
    elif command == "evaluate" and len(bare) == 1:
        setting = shlex.quote(f"samples={said}")
    elif said in list_experiments(command, folders):
        setting = f"+experiment={said}"
    remedy = "a setting is written key=value, and --help lists them"
    if setting:
        remedy = f"type {' '.join([typed(command), setting, *others])}"
    return f"{said!r} is no setting: {remedy}"


def _check_experiment(command: str, value: str, folders: Sequence[Path]) -> None:
    """Raise SDGError if an experiment belongs to another command, or is unknown."""
    for name in re.findall(r"\w+", value):
        owner = command_of(name, folders)
        if owner is not None and owner != command:
            raise SDGError(f"{name} is an experiment of {owner}.py: type {typed(owner)} +experiment={name}")
