"""The prompts of this experiment, in phrasings that training never used.

``python -m experiments.text_alignment.prompts`` writes ``prompts.jsonl``, 48 prompts of one to three
attributes for measuring the result, and ``sweep.jsonl``, 24 others for choosing the scale.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sdg.data.toyfaces import ATTRIBUTES
from sdg.data.toyfaces.captions import prompt

FOLDER = Path(__file__).parent
TUNING, HELD_OUT = FOLDER / "sweep.jsonl", FOLDER / "prompts.jsonl"
"""Prompts for choosing settings, and prompts for results."""

# Every attribute is mentioned equally often alone, in pairs and in threes, and is combined with all others.
ALONE = [(i,) for i in range(8)] * 2
PAIRS = [(i, i + step) for step in (1, 3) for i in range(8)]
THREES = [(i, i + 1, i + step) for step in (3, 5) for i in range(8)]

# People mostly say what is present.
CYCLES = {**ATTRIBUTES} | dict.fromkeys(("glasses", "hat", "beard"), ("yes", "yes", "no", "yes"))


def phrase(sets: Sequence[Sequence[int]], seed: int) -> list[dict]:
    """A line for each set of attribute numbers (mod 8); every attribute cycles through its values."""
    uses: Counter[str] = Counter()
    lines = []
    for index, numbers in enumerate(sets):
        mentioned = {}
        for name in (list(CYCLES)[number % 8] for number in numbers):
            mentioned[name] = CYCLES[name][(uses[name] + seed) % len(CYCLES[name])]
            uses[name] += 1
        lines.append({"prompt": prompt(mentioned, seed, index), "mentioned": mentioned})
    return lines


def files() -> dict[str, str]:
    """Name and content of each file."""
    lines = {
        HELD_OUT.name: phrase([*ALONE, *PAIRS, *THREES], seed=0),
        TUNING.name: phrase([*ALONE[:8], *PAIRS[:8], *THREES[:8]], seed=1),
    }
    return {name: "".join(json.dumps(line) + "\n" for line in entries) for name, entries in lines.items()}


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
