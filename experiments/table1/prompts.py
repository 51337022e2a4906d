"""The 100 prompts of the table: ``python -m experiments.table1.prompts`` writes ``prompts.jsonl``.

Their phrasings never occur in training, and no two mention the same values: 16 mention one attribute, 42 two
and 42 three. Together they are the pool in which a sample has to find its own prompt.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.text_alignment.prompts import ALONE, PAIRS, THREES, phrase

POOL = Path(__file__).parent / "prompts.jsonl"
PARTS: tuple[tuple[Sequence[Sequence[int]], int], ...] = ((ALONE, 16), (PAIRS, 42), (THREES, 42))
ROUNDS = 8
"""Passes through the sets of attributes, more than enough to find that many different mentions."""


def lines() -> list[dict]:
    """Contents of the file."""
    chosen: dict[frozenset, dict] = {}
    for sets, count in PARTS:
        different: dict[frozenset, dict] = {}
        for entry in phrase([*sets] * ROUNDS, seed=2):
            different.setdefault(frozenset(entry["mentioned"].items()), entry)
        chosen |= dict([*different.items()][:count])
    return list(chosen.values())


if __name__ == "__main__":
    POOL.write_text("".join(json.dumps(entry) + "\n" for entry in lines()), encoding="utf-8")
