"""The page in a browser: ``sdg play``, ``sdg play +experiment=ffhq_text`` (see ``--help``)."""

import argparse
import socket
import sys

from sdg.errors import SDGError
from sdg.extras import need
from sdg.play.folder import Folder
from sdg.stopping import listen
from sdg.words import is_setting

_SENTENCE = "a smiling face with red hair"


def main(arguments: list[str] | None = None) -> None:
    """Serve the page until this process is told to end; errors of the user's end in one line and status 1."""
    options = _parser().parse_args(arguments)
    try:
        _check_port(options.host, options.port)
        _serve(options)
    except SDGError as error:
        sys.exit(f"error: {error}")


def _serve(options: argparse.Namespace) -> None:
    folder = Folder()
    folder.prepare(options.port)
    need("gradio")
    listen()
    print("loading networks", flush=True)
    from sdg.play.server import serve
    from sdg.studio import load

    studio = load(None, *filter(is_setting, options.words))
    given = [word for word in options.words if not is_setting(word)]
    prompt = " | ".join(given) or next(iter(studio.base.config().prompts), _SENTENCE)
    steps = studio.steps(prompt=prompt, sampler="fast", group=1)
    next(steps)  # whatever is missing is told now, and a visitor's first step is as fast as any
    steps.close()  # type: ignore[attr-defined]  # it is a generator
    serve(studio, folder, prompt, options.host, options.port, options.open)


def _check_port(host: str, port: int) -> None:
    """Raises SDGError if nothing can be served there."""
    if not 0 < port < 65536:
        raise SDGError(f"--port {port} is no port: choose one from 1 to 65535, such as 7860")
    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
    except OSError as error:
        raise SDGError(
            f"cannot serve at {host}:{port} ({error.strerror}): choose another --port or --host, such as "
            f"--port {port - 1}"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sdg play", description="A page in the browser: words and pictures in, every step shown."
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="a sentence to begin with, and any settings of sdg draw, such as +experiment=ffhq_text",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to serve at (this machine alone; 0.0.0.0: anyone)"
    )
    parser.add_argument("--port", type=int, default=7860, help="port to serve at (7860)")
    parser.add_argument("--open", action="store_true", help="open the page in the default browser")
    return parser


if __name__ == "__main__":
    main()
