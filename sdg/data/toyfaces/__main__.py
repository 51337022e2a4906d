"""Pictures to aim at: ``python -m sdg.data.toyfaces FOLDER`` writes unseen faces, and styles."""

import argparse
import sys
from pathlib import Path

from sdg.data.toyfaces.references import write_references
from sdg.errors import SDGError
from sdg.files import printable


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sdg.data.toyfaces", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--faces", type=int, default=8, help="how many faces (default 8)")
    parser.add_argument("--size", type=int, default=64, help="side in pixels (default 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the world the faces are from (default 0)")
    given = parser.parse_args()
    try:
        write_references(given.folder, given.faces, given.size, given.seed)
    except SDGError as error:
        sys.exit(f"error: {error}")
    print(f"look at {printable(str(given.folder))}")


if __name__ == "__main__":
    main()
