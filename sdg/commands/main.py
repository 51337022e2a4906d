"""The command ``sdg``: draw, train, measure, and look after weights and runs, from any folder."""

import difflib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sdg import __version__
from sdg.errors import SDGError
from sdg.settings.utf8 import speak_utf8
from sdg.words import in_full, is_setting, written

Words = Sequence[str]


def _draw(words: Words) -> None:
    """Sentences become prompts; everything else is a setting or an option of ``sample.py``."""
    sentences = [word for word in words if not is_setting(word) and not word.startswith("-")]
    others = [in_full(word) for word in words if word not in sentences]
    _entry_point("sample")([*others, *([f"prompts={written(sentences)}"] if sentences else [])])


def _again(words: Words) -> None:
    """The folder of a run is repeated by ``sample.py``; a picture is drawn alone."""
    if words and Path(words[0]).expanduser().is_dir():
        _entry_point("sample")([f"again={written(words[0])}", *map(in_full, words[1:])])
        return
    from sdg.commands.again import main

    main(list(words))


def _entry_point(name: str) -> Callable[[Words], None]:
    """Runs a module as if it were typed: processes that it starts repeat ``sys.argv``."""

    def run(words: Words) -> None:
        module = import_module(f"sdg.commands.{name}")
        sys.argv = [str(module.__file__), *words]
        module.main()

    return run


def _tool(package: str, *first: str) -> Callable[[Words], None]:
    """Runs the command line of a package."""

    def run(words: Words) -> None:
        module = import_module(f"{package}.__main__")
        module.main([*first, *words])

    return run


COMMANDS: dict[str, tuple[Callable[[Words], None], str]] = {
    "draw": (_draw, 'guided pictures: sdg draw "a smiling face" "a face with a hat" n=2 sampler=balanced'),
    "again": (_again, "a run or a picture, once more: sdg again FOLDER, sdg again PICTURE.png"),
    "play": (_tool("sdg.play"), "the same in a browser, step by step: sdg play, sdg play --port 8000"),
    "train": (_entry_point("train"), "a prior, an encoder: sdg train +experiment=toyfaces_clip"),
    "evaluate": (_entry_point("evaluate"), "a folder of samples: sdg evaluate samples=DIR 'metrics=[score]'"),
    "prepare": (_entry_point("prepare"), "decode a data set once: sdg prepare data=ffhq data.root=DIR"),
    "words": (
        _entry_point("words"),
        "what a data set's captions say: sdg words data=table data.root=DIR data.table=FILE",
    ),
    "weights": (
        _tool("sdg.checkpoints"),
        "public files, which are here, what a file is: sdg weights ffhq",
    ),
    "prior": (
        _tool("sdg.priors"),
        "does a prior predict anything, in which units: sdg prior check prior=custom … pictures=DIR",
    ),
    "sweep": (_entry_point("sweep"), "search settings: sdg sweep +sweep=guidance_scale"),
    "runs": (_tool("sdg.report", "runs"), "many runs in one table: sdg runs outputs"),
}
"""What each word after ``sdg`` does."""


def main(arguments: Words | None = None) -> None:
    """Run ``sdg``; what a user can mend ends in one line and exit status 1."""
    if arguments is None:  # else this is a caller's process, which must not begin anew
        speak_utf8()
    first, *words = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    if first in ("-h", "--help", "help"):
        print(_help())
    elif first in ("-V", "--version", "version"):
        print(_version())
    elif first in COMMANDS:
        # A user's own terms and samplers may lie in the working folder, as beside sample.py.
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        try:
            COMMANDS[first][0](words)
        except SDGError as error:
            sys.exit(f"error: {error}")
    else:
        sys.exit(f"error: there is no command {first!r}: {_remedy(first)}")


def _remedy(word: str) -> str:
    if " " in word:
        return f'sdg draw "{word}" draws it'
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"did you mean sdg {close[0]}?" if close else f"choose {', '.join(COMMANDS)}"


def _help() -> str:
    lines = [f"  sdg {name:<9} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "Steer a pretrained unconditional diffusion model with words and pictures.",
            "",
            *lines,
            "",
            "sdg COMMAND --help tells more; sdg --version names versions and the device.",
        ]
    )


def _version() -> str:
    """Versions of what results depend on, and the device."""
    import torch

    names = ("torch", "pytorch-lightning", "hydra-core", "open_clip_torch")
    parts = [f"sdg {__version__}{_commit()}", f"Python {platform.python_version()}"]
    for name in names:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            parts.append(f"{name} is missing")
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = f"{accelerator.type}" if accelerator else f"cpu ({platform.machine()}, {os.cpu_count()} cores)"
    return "\n".join([*parts, f"device {device}"])


def _commit() -> str:
    """The commit of a checkout, in brackets."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" (commit {found.stdout.strip()})"
