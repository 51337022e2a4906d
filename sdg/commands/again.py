"""Draw a picture again, from what its file says of itself: ``sdg again PICTURE.png``."""

import argparse
from pathlib import Path

from sdg.errors import SDGError


def main(arguments: list[str]) -> None:
    """Draw the pictures named on the command line, and say whether each came out as it was.

    Raises:
        SDGError: a file does not say how it was made, or what it was made with has changed.
    """
    parser = argparse.ArgumentParser(
        prog="sdg again", description="Draw pictures again, from their own files."
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE.png", type=Path, help="files that sdg wrote")
    parser.add_argument("--out", type=Path, default=Path("outputs/again"), help="folder of the new ones")
    parser.add_argument("--device", help="cpu, cuda, mps …; by default a GPU if there is one")
    options = parser.parse_args(arguments)
    for path in options.pictures:
        target = options.out / path.name
        if target.exists() and target.resolve() == path.resolve():
            raise SDGError(f"{target} would be overwritten by its twin: give another folder with --out")
        from sdg.studio import again  # after what can be refused without it

        picture = again(path, options.device)
        picture.save(target)
        same = "the same, byte for byte" if picture.png == path.read_bytes() else "not the same file"
        print(f"{target}: {same}")
