"""The files below a folder, with links followed and loops cut."""

import heapq
import os
from pathlib import Path

from sdg.errors import SDGError


def files_below(root: Path) -> tuple[list[Path], list[Path]]:
    """Every file below ``root`` at any depth, and every link that leads nowhere; in no particular order.

    Hidden files and folders are left out. Links are followed, but each folder is read once, however many
    links lead to it: under its own path if that is below ``root``, else under the first link's, by name.

    Raises:
        SDGError: a folder cannot be read.
    """
    found: list[Path] = []
    broken: list[Path] = []
    seen: set[tuple[int, int]] = set()
    folders, links = [root], list[Path]()
    while folders or links:
        # Links wait until all folders proper have been read.
        folder = folders.pop() if folders else heapq.heappop(links)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                listed = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            raise SDGError(
                f"{folder} cannot be read ({error.strerror}): allow it, or move it away"
            ) from error
        for entry in listed:
            path = Path(entry.path)
            # Those of os.path, because an entry's own raise OSError on a link to itself.
            if os.path.isdir(path):
                heapq.heappush(links, path) if entry.is_symlink() else folders.append(path)
            elif os.path.isfile(path):
                found.append(path)
            elif entry.is_symlink():
                broken.append(path)
    return found, broken
