"""Helpers for the command lines of experiments."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def command(experiment: str, description: str | None, laid_out: bool = False) -> argparse.ArgumentParser:
    """The command line of ``experiments/<experiment>``.

    Args:
        laid_out: keep the line breaks of the description, and show no defaults.
    """
    layout = argparse.RawTextHelpFormatter if laid_out else argparse.ArgumentDefaultsHelpFormatter
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{experiment}", description=description, formatter_class=layout
    )


def add_seed(parser: argparse.ArgumentParser, seed: int, of: str = "samples") -> None:
    """``--seed``"""
    parser.add_argument("--seed", type=int, default=seed, help=f"of the {of}")


def add_sizes(
    parser: argparse.ArgumentParser, prompts: int, samples: int, seed: int, parts: int | None = None
) -> None:
    """The sizes of a :class:`~experiments.grid.Study`; ``--parts`` only where a number is given."""
    add = parser.add_argument
    add("--prompts", type=int, default=prompts, help="of the file of prompts")
    add("--samples", type=int, default=samples, help="samples of each")
    if parts is not None:
        words = "runs of each way, with prompts and noises of their own"
        add("--parts", type=int, default=parts, help=words)
    add_seed(parser, seed)


def add_output(parser: argparse.ArgumentParser, folder: str | Path) -> None:
    """``--output``, where samples are kept."""
    parser.add_argument("--output", type=Path, default=Path(folder), help="folder of the samples")


def add_report(parser: argparse.ArgumentParser, folder: Path, of: str) -> None:
    """``--report``, where results are written."""
    parser.add_argument("--report", type=Path, default=folder, help=f"folder of the {of}")


def add_settings(parser: argparse.ArgumentParser, *entry_points: str) -> None:
    """A flag ``--<name>`` for each entry point, which takes more settings of ``<name>.py``."""
    for name in entry_points:
        words = f"more settings of {name}.py"
        parser.add_argument(f"--{name}", nargs="+", default=[], metavar="KEY=VALUE", help=words)


def add_pairs(
    parser: argparse.ArgumentParser,
    flag: str,
    metavar: str,
    text: str,
    read: Callable[[str], tuple[str, float]] | None = None,
    default: Mapping[str, float] | None = None,
) -> None:
    """A flag that takes NAME=VALUE pairs and stores a dictionary."""
    parser.add_argument(
        flag,
        nargs="*",
        type=read or pair,
        default=dict(default or {}),
        action=_Pairs,
        metavar=metavar,
        help=text,
    )


def pair(text: str) -> tuple[str, float]:
    """Parse NAME=VALUE."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=NUMBER, such as ddpm=400") from error


class _Pairs(argparse.Action):
    """Stores pairs in a dictionary."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, dict(values or ()))
