"""Inspect weight files, and write them in our format: ``python -m sdg.checkpoints --help``."""

import argparse
import signal
import sys

import torch

from sdg.checkpoints.convert import average, convert
from sdg.checkpoints.inspect import inspect
from sdg.errors import SDGError

_DTYPES = {"float16": torch.float16, "float32": torch.float32, "bfloat16": torch.bfloat16}


def main(arguments: list[str] | None = None) -> None:
    """Run the command; exits with status 1 and one line on standard error if the user must fix something."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "inspect":
            for name, value in inspect(options.file):
                print(f"{name:<14}{value if value.isprintable() else ascii(value)}", flush=True)
        elif options.command == "convert":
            convert(options.file, options.out, _DTYPES[options.dtype])
        else:
            average(options.file, options.other, options.out, options.share, _DTYPES[options.dtype])
    except SDGError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sdg.checkpoints",
        description="Look into files of weights, and write them as ours. Nothing in a file is ever run.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="inspect|convert|average")
    which = "a .safetensors, .pt, .pth or TorchScript file, a folder of diffusers, or open_clip:NAME/TAG"
    look = commands.add_parser(
        "inspect",
        help="say what a file is",
        description="Say what a file is: format, architecture, what fits it.",
    )
    look.add_argument("file", metavar="FILE", help=which)
    write = commands.add_parser(
        "convert", help="write it as safetensors", description="Write the weights of a file as safetensors."
    )
    mix = commands.add_parser(
        "average",
        help="write what lies between two trainings of one network",
        description="Write the average of two files of one network: before and after fine-tuning, say.",
    )
    for maker in (write, mix):
        maker.add_argument("file", metavar="FILE", help=which)
    mix.add_argument("other", metavar="OTHER", help="the other file")
    mix.add_argument("--share", type=float, default=0.5, help="of OTHER, from 0 to 1 (default: 0.5)")
    for maker in (write, mix):
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
