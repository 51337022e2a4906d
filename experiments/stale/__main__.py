"""Which results are older than what they depend on: ``python -m experiments.stale``.

Every page of results begins with what made it. This compares the hashes there with those of the files that
stand now, and prints a line for each page that is not of them, with what has changed; then its status is 1.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.command import command
from experiments.dependencies import changed, files, settings_among
from experiments.results import FOLDER, read_head
from experiments.running import launch

SHOWN = 5


def main(arguments: Sequence[str]) -> None:
    command("stale", __doc__, laid_out=True).parse_args(arguments)
    found = list(stale(FOLDER))
    for path, why in found:
        print(f"{path.relative_to(FOLDER.parent)}: {why}")
    print(f"{len(found)} of {len(pages(FOLDER))} pages of results are older than what they depend on")
    sys.exit(1 if found else 0)


def pages(folder: Path) -> list[Path]:
    """The pages of results in the folders of all experiments."""
    return sorted(path for path in folder.glob("*/**/*.md") if path.name != "README.md")


def stale(folder: Path) -> Iterator[tuple[Path, str]]:
    """Pages that are not of the files that stand, and what has changed."""
    for path in pages(folder):
        head = read_head(path)
        if head is None:
            yield path, "it does not say what made it"
            continue
        if "files" not in head:
            yield path, f"made by {str(head['commit'])[:12]}, which did not name files yet"
            continue
        before = head["files"]
        experiment = folder / path.relative_to(folder).parts[0]
        if names := changed(before, files(experiment, settings_among(before))):
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield path, f"{', '.join(names[:SHOWN])}{more} changed since {str(head['commit'])[:12]}"


if __name__ == "__main__":
    launch(main)
