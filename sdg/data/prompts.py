"""Files of prompts: one per line, or JSON lines that say more about each."""

import json
from pathlib import Path

from sdg.errors import SDGError


def read_prompts(path: str | Path) -> list[str]:
    """The prompts of a file, one per line; blank lines and lines that start with # are skipped.

    Each line of a ``.jsonl`` file is an object with a "prompt".

    Raises:
        SDGError: no such file, or nothing in it that can be read.
    """
    lines = list(read_lines(path, "prompts").values())
    if Path(path).suffix != ".jsonl":
        return lines
    try:
        return [str(json.loads(line)["prompt"]).strip() for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise SDGError(
            f'{path} has a line that is not like {{"prompt": "a smiling face"}}: mend it'
        ) from error


def read_lines(path: str | Path, what: str) -> dict[int, str]:
    """The lines of a text file by their numbers from 1, without blank lines and those that start with #.

    Args:
        what: what the file holds, for errors.

    Raises:
        SDGError: no such file, or nothing in it that can be read.
    """
    path = Path(path)
    if not path.is_file():
        raise SDGError(f"there is no {what} file at {path}: give the path of a text file")
    try:
        # "-sig": some editors begin a text file with a byte order mark.
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise SDGError(f"{path} is not a UTF-8 text file: save it as plain text") from error
    said = {number: line for number, line in enumerate(lines, 1) if line and not line.startswith("#")}
    if not said:
        raise SDGError(f"{path} holds no {what}: write one a line")
    return said
