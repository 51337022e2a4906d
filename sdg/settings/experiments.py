"""The experiments in conf/experiment: each one's first comment gives the command that runs it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def list_experiments(command: str, folders: Sequence[Path]) -> dict[str, str]:
    """What each experiment of a command does, in a line, by name.

    Args:
        folders: where the folders of the configuration groups are.
    """
    found = {path.stem: path for folder in folders for path in (folder / "experiment").glob("*.yaml")}
    told = {name: _first_comment(found[name]) for name in sorted(found)}
    return {name: line for name, line in told.items() if _command(line) == command}


def command_of(name: str, folders: Sequence[Path]) -> str | None:
    """The command that an experiment belongs to, ``train`` or ``sample``; None: any, or no experiment."""
    paths = [path for folder in folders if (path := folder / "experiment" / f"{name}.yaml").is_file()]
    return _command(_first_comment(paths[0])) if paths else None


def table(experiments: Mapping[str, str]) -> str:
    """Experiments, one a line, without the commands at the ends of their comments."""
    width = max(map(len, experiments), default=0)
    does = {name: line.partition(": python ")[0] for name, line in experiments.items()}
    return "\n".join(f"  {name:{width}}  {line}" for name, line in does.items())


def _first_comment(path: Path) -> str:
    """The first line of comment that is not a directive of Hydra."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.lstrip("# ") for line in lines if line.startswith("#") and "@package" not in line]
    return comments[0] if comments else ""


def _command(line: str) -> str | None:
    match = re.search(r"python (\w+)\.py", line)
    return match[1] if match else None
