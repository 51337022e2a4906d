"""Look into files of weights, and write them as ours: ``python -m sdg.checkpoints --help``."""

import argparse
import signal
import sys
from pathlib import Path

import torch

from sdg.checkpoints.checkpoint import open_checkpoint
from sdg.checkpoints.inspect import inspect
from sdg.checkpoints.weights import save_state
from sdg.errors import SDGError

_DTYPES = {"float16": torch.float16, "float32": torch.float32, "bfloat16": torch.bfloat16}


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ends with status 1 and one line on standard error if the user must mend something."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "inspect":
            for name, value in inspect(options.file):
                print(f"{name:<14}{value if value.isprintable() else ascii(value)}", flush=True)
        else:
            convert(options.file, options.out, _DTYPES[options.dtype])
    except SDGError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


def convert(path: str | Path, out: str | Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the weights at ``path`` as safetensors, floating-point tensors as ``dtype``.

    Raises:
        SDGError: as :func:`open_checkpoint`; numbers that ``dtype`` cannot hold; or nowhere to write.
    """
    if Path(out).suffix != ".safetensors":
        raise SDGError(f"{out} does not end in .safetensors: give such a name")
    checkpoint, state = open_checkpoint(path), {}
    for key, value in checkpoint.tensors():
        state[key] = value.to(dtype) if value.is_floating_point() else value
        if value.is_floating_point() and (state[key].isfinite() != value.isfinite()).any():
            raise SDGError(f"{key} of {path} has numbers too large for {dtype}: use --dtype float32")
    try:
        save_state(out, state, {"source": checkpoint.path.name} | checkpoint.notes, dtype)
    except OSError as error:
        raise SDGError(f"cannot write {out} ({error.strerror}): choose another place") from error
    print(f"wrote {len(state):,} tensors to {out}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sdg.checkpoints",
        description="Look into files of weights, and write them as ours. Nothing in a file is ever run.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="inspect|convert")
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
    write.add_argument("file", metavar="FILE", help=which)
    write.add_argument("out", metavar="OUT.safetensors", help="the file to write")
    write.add_argument(
        "--dtype", choices=_DTYPES, default="float16", help="of the numbers written (float16 halves the file)"
    )
    return parser


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader such as head may stop listening
    main()
