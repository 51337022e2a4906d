"""The page that ``--help`` shows: what a command does, examples, the settings that matter, the groups."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from sdg.settings.experiments import list_experiments, table
from sdg.settings.known import choices

MATTER: dict[str, tuple[str, ...]] = {
    "sample": (
        "prompts",
        "prompts_file",
        "references",
        "guidance.scale",
        "sampler.steps",
        "samples_per_prompt",
        "seed",
        "start.image",
        "batch_size",
        "output_dir",
    ),
    "train": (
        "trainer.max_steps",
        "trainer.devices",
        "trainer.precision",
        "data.batch_size",
        "model.optimisation.lr",
        "callbacks.checkpoint.every",
        "seed",
        "warm_start",
        "resume",
        "output_dir",
    ),
    "evaluate": (
        "samples",
        "metrics",
        "reference",
        "preparation",
        "mentions",
        "judge.checkpoint",
        "batch_size",
        "device",
        "cache",
        "output_dir",
    ),
    "prepare": ("data.root", "size", "data.cache", "data.preparation", "data.on_corrupt"),
    "sweep": ("trials", "space", "objective", "direction", "keep", "commands", "seed", "output_dir"),
}
"""The settings that people change most, for each command."""
_LONGEST = 16
"""Values with more characters are left out."""
_FOOTER = """\
-m runs the values of a setting one after another: -m guidance.scale=100,200. --cfg job --resolve prints the
final settings and stops. Tab completion: eval "$(python sample.py -sc install=bash)"."""


def page(command: str, folders: Sequence[Path]) -> str:
    """What ``--help`` prints for a command.

    Args:
        folders: where the files of the configuration are; the first that has a file wins.
    """
    text = _read(f"{command}.yaml", folders)
    groups = {group: chosen for group, chosen in _defaults(text).items() if choices(folders, group)}
    told = [_told(name, text, groups, folders) for name in MATTER[command]]
    groups |= {"sweep": ""} if command == "sweep" else {}
    wide = max(len(setting) for setting, _ in told) + 4
    lines = [line[2:] for line in text.splitlines()[: text.count("\n", 0, text.index("\ndefaults:")) + 1]]
    lines += ["", "The settings that matter most (--cfg job shows all of them):"]
    for setting, comment in told:
        lines += _wrapped(f"  {setting:{wide - 2}}{comment}", wide)
    lines += ["", "Groups (group=choice; what is chosen by itself stands in brackets):"]
    for group, chosen in groups.items():
        options = [f"[{option}]" if option in chosen else option for option in choices(folders, group)]
        lines += _wrapped(f"  {group}: {', '.join(options)}", 4)
    if experiments := list_experiments(command, folders):
        lines += [
            "",
            "Experiments (+experiment=name; the files in conf/experiment say more):",
            table(experiments),
        ]
    return "\n".join([*lines, "", _FOOTER])


def _told(name: str, text: str, groups: dict[str, str], folders: Sequence[Path]) -> tuple[str, str]:
    """``name=value`` and the comment of a setting, as its file has them."""
    group, _, within = name.partition(".")
    key, value, comment = name, "", ""
    if group in groups and within:
        text, key = _read(f"{group}/{groups[group]}.yaml", folders), within
    for part in key.split("."):
        match = re.search(rf"^[ -]*{part}:(?: +([^#\n]*?))? *(?:# *(.*))?$", text, re.MULTILINE)
        if match is None:
            return name, ""
        value, comment, text = match[1] or "", match[2] or "", text[match.end() :]
    return f"{name}={value}" if len(value) <= _LONGEST else name, comment


def _wrapped(line: str, indent: int) -> list[str]:
    return textwrap.wrap(line, 110, subsequent_indent=" " * indent, break_on_hyphens=False)


def _defaults(text: str) -> dict[str, str]:
    """The groups in a file's list of defaults, each with its choice."""
    listed = text.partition("\ndefaults:\n")[2].partition("\n\n")[0]
    found = dict(re.findall(r"^  - (\w+): ([^#\n]*?) *(?:#.*)?$", listed, re.MULTILINE))
    return {group: choice for group, choice in found.items() if group not in ("hydra", "paths")}


def _read(name: str, folders: Sequence[Path]) -> str:
    return next(path for folder in folders if (path := folder / name).is_file()).read_text(encoding="utf-8")
