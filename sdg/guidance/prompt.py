"""Prompts with weights, written in one line."""

import math
import re

from sdg.errors import SDGError

_WEIGHT = re.compile(r"(.*?)\s*:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*", re.DOTALL)


def weighted_sentences(prompt: str) -> list[tuple[str, float]]:
    """The sentences of a prompt and their weights.

    ``"a smiling face | a face with glasses:-0.5"`` is a sentence of weight 1 and another of weight -0.5: a
    bar separates sentences, and a sentence may end in a colon and its weight, 1 by default.

    Raises:
        SDGError: a sentence is empty, or its weight is not finite.
    """
    sentences = []
    for part in prompt.split("|"):
        match = _WEIGHT.fullmatch(part)
        text, weight = (match[1], float(match[2])) if match else (part, 1.0)
        if not text.strip() or not math.isfinite(weight):
            raise SDGError(f"the prompt {prompt!r} has an empty part: describe what you want to see")
        sentences.append((text.strip(), weight))
    return sentences
