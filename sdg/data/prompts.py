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
    lines = read_lines(path, "prompts")
    if Path(path).suffix != ".jsonl":
        return list(lines.values())
    return [_prompt(line, f"line {number} of {path}") for number, line in lines.items()]


def read_lines(path: str | Path, what: str) -> dict[int, str]:
    """The lines of a text file by their numbers from 1, without blank lines and those that start with #.

    Only newlines end a line, not the other characters that Unicode calls line breaks.

    Args:
        what: what the file holds, for errors.

    Raises:
        SDGError: no such file, or nothing in it that can be read.
    """
    path = Path(path)
    if not path.is_file():
        raise SDGError(f"there is no {what} file at {path}: give the path of a text file")
    content = path.read_bytes()
    try:
        # "-sig": some editors begin a text file with a byte order mark.
        lines = [line.strip() for line in content.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        line_number = content.count(b"\n", 0, error.start) + 1
        raise SDGError(f"line {line_number} of {path} is not UTF-8: save it as plain text") from error
    said = {number: line for number, line in enumerate(lines, 1) if line and not line.startswith("#")}
    if not said:
        raise SDGError(f"{path} holds no {what}: write one a line")
    return said


def _prompt(line: str, where: str) -> str:
    """The prompt of a JSON line."""
    remedy = f'{where} is not like {{"prompt": "a smiling face"}}: mend it'
    try:
        prompt = json.loads(line)["prompt"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SDGError(remedy) from error
    if not isinstance(prompt, str):
        raise SDGError(remedy)
    if not prompt.strip():
        raise SDGError(f"{where} has an empty prompt: describe what you want to see")
    return prompt.strip()
