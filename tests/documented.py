"""The commands that README and docs name."""

import re
import shlex
from pathlib import Path

from sdg.composition import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("experiments/*/README.md")),
]
_PROGRAMS = r"(python|sdg|make|pip|wandb|docker|srun|npm) "


def commands(document: Path) -> list[str]:
    """The lines of its blocks for a shell, without comments."""
    blocks = re.findall(r"```bash\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    lines = [re.split(r"(?:^|\s+)#\s", line)[0] for block in blocks for line in _whole(block).splitlines()]
    return [" ".join(line.split()) for line in lines if line.strip()]


def mentions(document: Path) -> list[str]:
    """The commands inside of its sentences, some without the words that they need."""
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    said = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]
    return [code for code in said if re.match(_PROGRAMS, code)]


def words(command: str) -> list[str]:
    """Of a command, but for those that stand for others (…), Slurm's own, and where its output goes."""
    own = command.removeprefix("srun ").partition(" > ")[0]
    return [word for word in shlex.split(own) if "…" not in word]


def _whole(block: str) -> str:
    """With lines that a backslash continues joined."""
    return block.replace("\\\n", " ")
