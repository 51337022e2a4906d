"""Public weight files, and what a weight file is: ``sdg weights --help``, ``python -m sdg.checkpoints``."""

import argparse
import difflib
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import torch
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from sdg.checkpoints.catalogue import CATALOGUE, PublicFile, public_file
from sdg.checkpoints.checklist import by_hand, get, needs, report
from sdg.checkpoints.convert import average, changes, convert
from sdg.checkpoints.inspect import inspect
from sdg.composition import compose, conf_folders
from sdg.errors import SDGError

_DTYPES = {"float16": torch.float16, "float32": torch.float32, "bfloat16": torch.bfloat16}
_READ = ("method", "guidance", "estimator", "model", "prior", "encoder", "generator")
"""The parts of a configuration that say which weights are read."""

_BESIDE = {
    ("prior", ""): [],
    ("encoder", ""): ["prior=ffhq"],
    ("encoder", "toyfaces"): [],
    ("generator", ""): ["method=stylegan_clip", "encoder=vit_b_32"],
    ("generator", "toyfaces"): ["method=stylegan_clip"],
}
"""Words that an option of a group needs beside it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command; exits with status 1 and one line on standard error if the user must fix something.

    No word at all lists the public files; a word that is no command is the name of an experiment.
    """
    words = [*(sys.argv[1:] if arguments is None else arguments)] or ["list"]
    if words[0] not in _COMMANDS and not words[0].startswith("-"):
        words = ["checklist", *words]
    options = _parser().parse_args(words)
    try:
        _COMMANDS[options.command](options)
    except SDGError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


def _list(options: argparse.Namespace) -> None:
    for card in CATALOGUE:
        print(f"[{'x' if card.here else ' '}] {card.name:<22}{card.size:>6,} MB  {card.what}")
    print("[x] is here. sdg weights show NAME tells more, get NAME fetches it, EXPERIMENT lists its needs.")


def _show(options: argparse.Namespace) -> None:
    card = public_file(options.name)
    for name, value in _facts(card):
        print(f"{name:<10}{value}")


def _facts(card: PublicFile) -> list[tuple[str, str]]:
    facts = [
        ("file", card.file),
        ("what", card.what),
        ("from", card.origin),
        ("address", card.url or "none that a program may fetch"),
        ("size", f"about {card.size:,} MB"),
        (
            "sha256",
            (card.sha256 and f"{card.sha256}{'' if len(card.sha256) == 64 else '…'}") or "none published",
        ),
        ("licence", card.licence),
        ("settings", card.words),
        ("place", f"{card.place} ({'here' if card.here else 'not here'})"),
        ("note", card.note),
        ("get", "" if card.here else "; ".join(by_hand(card))),
    ]
    return [(name, value) for name, value in facts if value]


def _checklist(options: argparse.Namespace) -> None:
    config, command = _composed(options.experiment)
    plain: dict[str, Any] = {}
    for key in _READ:
        part = OmegaConf.select(config, key)
        if OmegaConf.is_config(part):
            plain[key] = OmegaConf.to_container(part, resolve=True)
    for line in report(options.experiment, needs(plain), command):
        print(line)


def _composed(name: str) -> tuple[DictConfig, str]:
    """The configuration that a name stands for, and the command that runs it."""
    groups = {
        group: sorted({path.stem for folder in conf_folders() for path in (folder / group).glob("*.yaml")})
        for group in ("experiment", "prior", "encoder", "generator")
    }
    for experiment in (name, f"{name}_text"):
        if experiment in groups["experiment"]:
            word = f"+experiment={experiment}"
            try:
                return _with_words("draw", "sample", [word])
            except (HydraException, SDGError):  # then it is one of train.py's
                return _with_words("train", "train", [word])
    for group, names in groups.items():
        if name in names:
            return _with_words(
                "draw", "sample", [*_BESIDE.get((group, name), _BESIDE[group, ""]), f"{group}={name}"]
            )
    known = sorted({known for names in groups.values() for known in names})
    near = difflib.get_close_matches(name, [*known, *_COMMANDS], n=3) or groups["experiment"]
    raise SDGError(f"there is no experiment or command {name!r}: choose {', '.join(near)}")


def _with_words(command: str, config_name: str, words: list[str]) -> tuple[DictConfig, str]:
    """A configuration, and the command that runs it with what a person must add."""
    config = compose(config_name, words)
    terms = OmegaConf.select(config, "guidance.terms") or {}
    if command == "draw" and "text" in terms and not config.prompts:
        words = ['"a sentence"', *words]
    if command == "draw" and terms.keys() - {"text"}:
        words = [*words, "'references=[PICTURE]'"]
    if command == "train" and config.data.get("root", "") is None:
        words = [*words, "data.root=FOLDER"]
    return config, " ".join(["sdg", command, *words])


def _get(options: argparse.Namespace) -> None:
    card = public_file(options.name)
    there = card.here
    path = get(card)
    print(f"{path} {'was here already' if there else 'is fetched'}: {card.words.replace('FILE', str(path))}")


def _check(options: argparse.Namespace) -> None:
    width = max(shutil.get_terminal_size().columns, 40) if sys.stdout.isatty() else sys.maxsize
    for name, value in inspect(options.file):
        line = f"{name:<14}{value if value.isprintable() else ascii(value)}"
        print(textwrap.fill(line, width, subsequent_indent=" " * 14, break_on_hyphens=False), flush=True)


def _convert(options: argparse.Namespace) -> None:
    convert(options.file, options.out, _DTYPES[options.dtype])


def _average(options: argparse.Namespace) -> None:
    average(options.file, options.other, options.out, options.share, _DTYPES[options.dtype])


def _changes(options: argparse.Namespace) -> None:
    changes(options.file, options.base, options.out, _DTYPES[options.dtype])


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "list": _list,
    "show": _show,
    "checklist": _checklist,
    "get": _get,
    "check": _check,
    "inspect": _check,
    "convert": _convert,
    "average": _average,
    "changes": _changes,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sdg weights",
        description="Public weight files, and what a weight file is. Nothing in a file is ever run.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, told: str, **options: Any) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.", **options)

    add("list", "list the public files that configurations take, and which are here")
    add("show", "show the card of a public file").add_argument("name", metavar="NAME")
    add("checklist", "list what an experiment needs, and what to type").add_argument(
        "experiment", metavar="EXPERIMENT", help="such as ffhq, lsun_bedroom_text or ffhq_clip"
    )
    add("get", "fetch a public file, or say how to").add_argument("name", metavar="NAME")
    which = (
        "a .safetensors, .pt, .pth or TorchScript file, a folder of diffusers, or open_clip:NAME/TAG; "
        "@raw, @average or @ENTRY behind it chooses from what it holds"
    )
    told = "say what a file is: format, architecture, what takes it"
    add("check", told, aliases=["inspect"]).add_argument("file", metavar="FILE", help=which)
    write = add("convert", "write the weights of a file as safetensors")
    mix = add("average", "write the average of two files of one network: before and after fine-tuning, say")
    part = add("changes", "write only the weights that are not those of another file, to lie beside it")
    for maker in (write, mix, part):
        maker.add_argument("file", metavar="FILE", help=which)
    part.add_argument("base", metavar="BASE", help="the other file: before fine-tuning, say")
    mix.add_argument("other", metavar="OTHER", help="the other file")
    mix.add_argument("--share", type=float, default=0.5, help="of OTHER, from 0 to 1 (default: 0.5)")
    for maker in (write, mix, part):
        maker.add_argument("out", metavar="OUT.safetensors", help="the file to write")
        maker.add_argument(
            "--dtype",
            choices=_DTYPES,
            default="float16",
            help="of the numbers written (float16 halves the file)",
        )
    return parser


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader such as head may stop reading
    main()
