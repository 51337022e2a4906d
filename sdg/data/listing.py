"""Which files are pictures, told by their names alone: nothing heavy is imported for it."""

from pathlib import Path

from sdg.data.walk import files_below
from sdg.errors import SDGError
from sdg.files import printable
from sdg.progress import Bar

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
}
_TOLD: set[str] = set()
"""Warnings of links that lead nowhere: a folder may be listed several times in a run."""


def list_pictures(path: str | Path) -> list[Path]:
    """A picture file as a list of one; a folder as its pictures at any depth, sorted by relative path.

    Pictures are recognised by suffix; hidden files and folders are skipped, links followed. Links that lead
    nowhere are left out, and told once with their number.

    Raises:
        SDGError: nothing is there, or no pictures are in it, or a folder cannot be read.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SDGError(f"{path} is not there: give a picture or a folder of pictures")
    found, broken = ([file for file in files if is_picture_name(file.name)] for files in files_below(path))
    if broken:
        links = f"{len(broken)} links" if len(broken) > 1 else "1 link"
        told = f"{links} in {path} to pictures that are not there, such as {min(broken)}"
        if not found:
            raise SDGError(f"there is nothing but {told}: restore them")
        if told not in _TOLD:
            _TOLD.add(told)
            Bar.write(f"warning: skipped: {printable(told)}")
    if not found:
        raise SDGError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))}): give a folder that does")
    return sorted(found, key=lambda file: file.relative_to(path).as_posix())


def is_picture_name(name: str) -> bool:
    """Whether a file's name has a picture's suffix and is not hidden."""
    return Path(name).suffix.lower() in SUFFIXES and not Path(name).name.startswith(".")
