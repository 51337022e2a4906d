"""Try a prior: ``python -m sdg.priors check prior=custom … pictures=FOLDER``, or ``sdg prior check …``."""

import argparse
import sys
from pathlib import Path

from sdg.errors import SDGError
from sdg.priors.run import check
from sdg.words import in_full


def main(arguments: list[str] | None = None) -> None:
    """Run the command; exits with status 1 and one line on standard error if the user must fix something."""
    parser = argparse.ArgumentParser(
        prog="sdg prior",
        description="Measures whether a prior predicts the noise in pictures, and in which units; draws "
        "eight pictures. All else is as for sdg draw: prior=custom prior.checkpoint=PATH sampler=fast …",
    )
    parser.add_argument("command", choices=["check"])
    parser.add_argument("words", nargs="*", metavar="SETTING", help="settings, and pictures=FOLDER")
    parser.add_argument("--count", type=int, default=64, help="pictures to measure on (default: 64)")
    parser.add_argument(
        "--out", default="outputs/prior/eight.png", help="PNG for what it draws (%(default)s)"
    )
    parser.add_argument("--device", help="cpu, cuda …; a GPU if there is one")
    options = parser.parse_intermixed_args(arguments)
    own = [word for word in options.words if word.startswith("pictures=")]
    words = [in_full(word) for word in options.words if word not in own]
    if str(Path.cwd()) not in sys.path:  # where their network may lie
        sys.path.insert(0, str(Path.cwd()))
    try:
        if options.count < 2:
            raise SDGError(f"--count {options.count} is too few pictures for a guess: use 2 or more")
        pictures = own[-1].removeprefix("pictures=") if own else None
        for line in check(words, pictures, options.count, Path(options.out).expanduser(), options.device):
            print(line, flush=True)
    except SDGError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
