"""Text to token numbers: a word-level tokenizer for small models, and a strict wrapper of open_clip's own."""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sdg.errors import SDGError

_PAD, _UNKNOWN, _FIRST_WORD = 0, 1, 2


def split_words(text: str) -> list[str]:
    """The words of a text in order, in lower case, without punctuation."""
    return re.findall(r"[a-z0-9]+", text.lower())


class WordTokenizer:
    """One token per known word; words outside the vocabulary share one token.

    Numbers are 0 for padding, 1 for unknown words, 2… for the vocabulary in its given order, then start and
    end of text. (open_clip's text tower takes its output at the largest number, the end.)

    Args:
        vocabulary: lower-case words, each once; their order is part of a trained model.
        context_length: tokens per text, start and end included.

    Raises:
        SDGError: a vocabulary with anything else in it.
    """

    def __init__(self, vocabulary: Sequence[str], context_length: int):
        self.context_length = context_length
        self.numbers = {word: _FIRST_WORD + i for i, word in enumerate(vocabulary)}
        if len(self.numbers) < len(vocabulary) or any(
            split_words(str(word)) != [word] for word in vocabulary
        ):
            raise SDGError("a vocabulary holds lower-case words, each once: mend encoder.clip.vocabulary")
        self.start = _FIRST_WORD + len(self.numbers)
        self.end = self.start + 1
        self.size = self.end + 1

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Texts to (N, context_length) int64.

        Raises:
            SDGError: a text without words, or longer than the context.
        """
        rows = [self._encode(text) for text in texts]
        return torch.tensor([row + [_PAD] * (self.context_length - len(row)) for row in rows])

    def bag(self, texts: Sequence[str]) -> Tensor:
        """Which tokens each text contains, whatever its length and order: (N, size) of 0 and 1."""
        bags = torch.zeros(len(texts), self.size)
        for row, text in zip(bags, texts, strict=True):
            row[[self.numbers.get(word, _UNKNOWN) for word in split_words(text)]] = 1
        return bags

    def unknown_words(self, text: str) -> list[str]:
        """The words of ``text`` that the vocabulary lacks, each once, in order."""
        return list(dict.fromkeys(word for word in split_words(text) if word not in self.numbers))

    def _encode(self, text: str) -> list[int]:
        words = split_words(text)
        if not words:
            raise SDGError(f"the prompt {text!r} has no words: describe the face you want")
        if len(words) > self.context_length - 2:
            raise SDGError(
                f"the prompt {_shorten(text)} has {len(words)} words, this encoder reads at most "
                f"{self.context_length - 2}: shorten it"
            )
        return [self.start, *(self.numbers.get(word, _UNKNOWN) for word in words), self.end]


class StrictTokenizer:
    """An open_clip tokenizer that refuses a text it would have to truncate.

    Args:
        tokenizer: maps texts and a context length to (N, context_length) int64, end of text highest.
    """

    def __init__(self, tokenizer: Callable[..., Tensor], context_length: int):
        self.tokenizer, self.context_length = tokenizer, context_length

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Texts to (N, context_length) int64; raises SDGError for an empty or over-long text."""
        roomy = self.tokenizer(list(texts), context_length=4 * self.context_length)
        # Up to the end of text rather than the first 0, which is padding but also a "!" inside a word.
        lengths = (roomy.argmax(dim=1) + 1).tolist()
        for text, length in zip(texts, lengths, strict=True):
            if length == 2:
                raise SDGError("a prompt is empty: describe what you want to see")
            if length > self.context_length:
                raise SDGError(
                    f"the prompt {_shorten(text)} takes more than the {self.context_length - 2} tokens that "
                    f"this encoder reads: shorten it"
                )
        return roomy[:, : self.context_length]

    def unknown_words(self, text: str) -> list[str]:
        """None: any text can be spelt in byte pairs."""
        return []


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 48 else text[:45] + "…")
