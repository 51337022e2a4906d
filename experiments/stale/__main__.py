"""Which results are older than what they depend on: ``python -m experiments.stale``.

Every page of results begins with what made it. This compares the hashes there with those of the code, weights
and data that stand now, and prints a line for each page that is not of them; then the exit status is 1.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.command import command
from experiments.dependencies import code, data, weights
from experiments.results import FOLDER, read_head
from experiments.running import launch


def main(arguments: Sequence[str]) -> None:
    command("stale", __doc__, laid_out=True).parse_args(arguments)
    found = list(stale(FOLDER))
    for path, why in found:
        print(f"{path.relative_to(FOLDER.parent)}: {why}")
    print(f"{len(found)} of {len(pages(FOLDER))} pages of results are older than what they depend on")
    sys.exit(1 if found else 0)


def pages(folder: Path) -> list[Path]:
    """The pages of results in the folders of all experiments."""
    return sorted(path for path in folder.glob("*/*.md") if path.name != "README.md")


def stale(folder: Path) -> Iterator[tuple[Path, str]]:
    """Pages that are not of the code, weights and data that stand, and what has changed."""
    for path in pages(folder):
        head = read_head(path)
        if head is None:
            yield path, "it does not say what made it"
        elif changed := _changed(head, path.parent):
            yield path, f"{', '.join(changed)} changed since {str(head['commit'])[:12]}"


def _changed(head: dict, experiment: Path) -> list[str]:
    now = {"code": code(experiment), "data": data(experiment)}
    if any(room in now["code"] for room in ("sdg/checkpoints", "sdg/sampling")):
        now["weights"] = weights()
    names = []
    for kind, hashes in now.items():
        before = head.get(kind, {})
        names += [name for name in {**before, **hashes} if before.get(name) != hashes.get(name)]
    return names


if __name__ == "__main__":
    launch(main)
