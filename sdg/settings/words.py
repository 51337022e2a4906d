"""The words of a command line before Hydra reads them: what people type, and Hydra would misunderstand."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sdg.errors import SDGError
from sdg.settings.known import choices

_HOME = re.compile(r"(?<=[=\[,])(\s*)(~[\w.-]*)(?=/|[\],]|$)")
"""``~`` or ``~name`` where a path may begin, outside quotes."""
_GROUP = re.compile(r"(\+{0,2})([\w/]+)=(.*)", re.DOTALL)


def tidy(command: str, words: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The words as Hydra takes them: ``~`` is the home folder, as in shells, and an empty group is written its way.

    Args:
        folders: where the files of the configuration groups are.

    Raises:
        SDGError: a sentence where a setting is expected, an experiment of another command, or a group that
            is null.
    """
    settings = [word for word in words if not word.startswith("-")]
    if bare := [word for word in _bare(words)]:
        raise SDGError(_what_to_type(command, bare, settings, folders))
    tidied = []
    for word in words:
        match = _GROUP.fullmatch(word)
        if match and match[2] == "experiment":
            _check_experiment(command, match[3], folders)
        if match and match[3] == "null" and not match[1] and (options := choices(folders, match[2])):
            if match[2] not in _NONE:
                raise SDGError(f"{word} names nothing: choose {match[2]}={'|'.join(options)}")
            tidied += _NONE[match[2]]
        else:
            tidied.append(word if word.startswith(("-", "prompts=")) else _at_home(word))
    return tidied
