"""Prompts: one sentence, or several with weights, written in one line."""

import math
import re

from sdg.errors import SDGError

_BAR = re.compile(r"(?<!\\)\|")
_WEIGHT = re.compile(
    r"(.*?)(?:(?<![\d\s\\]):|\s+:\s*|^:)([+-]?(?:\d+\.?\d*|\.\d+))\s*",
    re.DOTALL,
)
"""A sentence and its weight: ``a hat:2`` or ``a hat : 2``, but not ``at 10:30`` or ``it says: 2``."""
_ESCAPED = re.compile(r"\\([|:])")


def weighted_sentences(prompt: str) -> list[tuple[str, float]]:
    r"""The sentences of a prompt and their weights.

    A bar separates sentences, and then each may end in a colon and its weight, 1 by default: ``"a smiling
    face | a face with glasses:-0.5"``. Without a bar, the whole prompt is one sentence of weight 1. ``\|``
    and ``\:`` are a bar and a colon of the text itself.

    Raises:
        SDGError: a sentence is empty, or its weight is not finite.
    """
    parts = _BAR.split(prompt)
    sentences = []
    for part in parts:
        match = _WEIGHT.fullmatch(part) if len(parts) > 1 else None
        text, weight = (match[1], float(match[2])) if match else (part, 1.0)
        if not text.strip() or not math.isfinite(weight):
            raise SDGError(f"the prompt {prompt!r} has an empty part: describe what you want to see")
        sentences.append((_ESCAPED.sub(r"\1", text.strip()), weight))
    return sentences


def seems_weighted(prompt: str) -> bool:
    """Whether a prompt is one sentence that ends like one with a weight, which it then does not have."""
    return len(_BAR.split(prompt)) == 1 and _WEIGHT.fullmatch(prompt) is not None
