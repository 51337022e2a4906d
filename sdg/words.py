"""The words of a command line: which are settings, and how values are written there."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdg.errors import SDGError

SHORT = {
    "n": "samples_per_prompt",
    "scale": "guidance.scale",
    "steps": "sampler.steps",
    "every": "guidance.every",
    "image": "start.image",
    "strength": "start.strength",
    "mask": "start.mask",
}
"""Short names of settings of ``sample.py``, for ``sdg draw`` and for keywords."""

_OTHER_VALUES = ("null", "true", "false", "nan", "inf")
"""Words that Hydra reads as something else than text."""
_SETTING = re.compile(r"(\+\+?|~)?[A-Za-z_][\w./@]*=.*|~[A-Za-z_][\w./@]*", re.DOTALL)


def typed(command: str) -> str:
    """How this process's user types a command: ``python sample.py``, or ``sdg draw`` where that was typed."""
    if Path(sys.argv[0]).parent.name == "commands":  # what sdg says that it runs
        return f"sdg {'draw' if command == 'sample' else command}"
    return f"python {command}.py"


def is_setting(word: str) -> bool:
    """Whether a word is a setting such as ``sampler=fast``, and not a sentence."""
    return bool(_SETTING.fullmatch(word))


def in_full(word: str) -> str:
    """A setting with its short name, if it has one, replaced by the full one."""
    name, equals, value = word.partition("=")
    return f"{SHORT.get(name, name)}{equals}{value}"


def written(value: Any) -> str:
    """A value as Hydra's command line reads it.

    Raises:
        SDGError: there is no way to write it.
    """
    match value:
        case None:
            text = "null"
        case bool():
            text = str(value).lower()
        case int() | float():
            text = repr(value)
        case str() | Path():
            text = _quoted(str(value))
        case Mapping():
            text = "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
        case Sequence():
            text = "[" + ", ".join(map(written, value)) + "]"
        case _:
            raise SDGError(
                f"{value!r} is no setting: give text, a number, true or false, a list or a dictionary"
            )
    return text


def _quoted(text: str) -> str:
    """Text, between quotes unless it is a plain word."""
    if re.fullmatch(r"[A-Za-z_/][\w./-]*", text) and text.lower() not in _OTHER_VALUES:
        return text
    # Before a quote, Hydra reads two backslashes as one; elsewhere it leaves them alone.
    text = re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + ("\\" if found[2] else "") + found[2], text)
    return '"' + text.replace("${", "\\${") + '"'
