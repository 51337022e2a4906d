"""Helpers for the command lines of experiments."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.running import invocation
from sdg.composition import ROOT
from sdg.errors import SDGError


def command(experiment: str, description: str | None, laid_out: bool = False) -> argparse.ArgumentParser:
    """The command line of ``experiments/<experiment>``.

    Args:
        laid_out: keep the line breaks of the description, and show no defaults.
    """
    layout = argparse.RawTextHelpFormatter if laid_out else argparse.ArgumentDefaultsHelpFormatter
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{experiment}", description=description, formatter_class=layout
    )


def study_command(
    experiment: str,
    description: str | None,
    arguments: Sequence[str],
    laid_out: bool = False,
    **sizes: int,
) -> argparse.ArgumentParser:
    """The command line of an experiment that is one study; see :func:`add_study`."""
    parser = command(experiment, description, laid_out)
    add_study(parser, experiment, arguments, **sizes)
    return parser


def add_study(
    parser: argparse.ArgumentParser, experiment: str, arguments: Sequence[str], part: str = "", **sizes: int
) -> None:
    """The sizes, folders and settings of a :class:`~experiments.grid.Study`, and what was typed.

    Args:
        part: of the experiment, which has a folder of its own for its samples.
        sizes: defaults, as of :func:`add_sizes`.
    """
    parser.set_defaults(command=invocation(experiment, arguments))
    add_sizes(parser, **sizes)
    add_output(parser, Path("outputs") / experiment.replace(".", "_") / part)
    add_report(parser, ROOT / "experiments" / experiment.partition(".")[0], "results")
    add_settings(parser, "sample", "evaluate")


def add_seed(parser: argparse.ArgumentParser, seed: int, of: str = "samples") -> None:
    """``--seed``"""
    parser.add_argument("--seed", type=int, default=seed, help=f"of the {of}")


def add_sizes(parser: argparse.ArgumentParser, **sizes: int) -> None:
    """A flag for each number that has a default: sizes of a :class:`~experiments.grid.Study`, and steps."""
    for name, default in sizes.items():
        least, words = _SIZES[name]
        parser.add_argument(f"--{name}", type=whole(f"--{name}", least), default=default, help=words)


_SIZES = {
    "prompts": (1, "of the file of prompts"),
    "targets": (2, "prompts, and reference faces"),
    "references": (2, "reference faces"),
    "samples": (2, "samples of each"),
    "parts": (1, "runs of each way, with prompts and noises of their own"),
    "seed": (0, "of the samples"),
    "steps": (1, "sampling steps of chains"),
}
"""The least of each: whether samples differ, and which reference is found, two of them tell."""


def whole(flag: str, least: int) -> Callable[[str], int]:
    """Reads the whole number of a flag; raises SDGError if it is less than ``least``."""

    def count(text: str) -> int:
        if (number := int(text)) < least:
            raise SDGError(f"{flag} {number} is too few: use {flag} from {least}")
        return number

    return count


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
