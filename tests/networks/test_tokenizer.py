"""Tokenizers: numbers for words, and no text cut short in silence."""

import open_clip
import pytest
import torch

from sdg.errors import SDGError
from sdg.networks.tokenizer import StrictTokenizer, WordTokenizer

WORDS = ["a", "face", "with", "red", "hair"]
START, END = 7, 8


@pytest.fixture
def words() -> WordTokenizer:
    return WordTokenizer(WORDS, context_length=8)


@pytest.fixture(scope="module")
def byte_pairs() -> StrictTokenizer:
    """That of RN50x16; its vocabulary comes with open_clip."""
    return StrictTokenizer(open_clip.get_tokenizer("RN50x16-quickgelu"), context_length=77)


def test_words_become_their_places_in_the_vocabulary(words: WordTokenizer) -> None:
    tokens = words(["a face with red hair", "Hair, RED!"])
    assert tokens.dtype == torch.int64
    assert tokens.tolist() == [[START, 2, 3, 4, 5, 6, END, 0], [START, 6, 5, END, 0, 0, 0, 0]]
    assert words.size == END + 1


def test_unknown_words_share_a_number_and_are_named(words: WordTokenizer) -> None:
    assert words(["a green face"]).tolist() == [[START, 2, 1, 3, END, 0, 0, 0]]
    assert words.unknown_words("a Green face, green and tall") == ["green", "and", "tall"]
    assert words.unknown_words("a face") == []


def test_a_text_may_fill_the_context_but_not_pass_it(words: WordTokenizer) -> None:
    assert words(["a a a a a a"]).tolist() == [[START, 2, 2, 2, 2, 2, 2, END]]
    with pytest.raises(SDGError, match=r"has 7 words, this encoder reads at most 6: shorten it"):
        words(["a face", "a a a a a a a"])


@pytest.mark.parametrize("text", ["", "   ", "?!"])
def test_a_text_without_words_is_refused(words: WordTokenizer, text: str) -> None:
    with pytest.raises(SDGError, match="has no words"):
        words([text])


@pytest.mark.parametrize("vocabulary", [["a", "a"], ["a", "Face"], ["a", "red hair"], ["a", True], [""]])
def test_a_vocabulary_of_something_else_is_refused(vocabulary: list[str]) -> None:
    """``True`` is what YAML makes of an unquoted *on*."""
    with pytest.raises(SDGError, match="lower-case words, each once"):
        WordTokenizer(vocabulary, 8)


def test_byte_pairs_are_those_of_open_clip(byte_pairs: StrictTokenizer) -> None:
    texts = ["a smiling woman with straight, blonde hair", "wow!#@!"]
    tokens = byte_pairs(texts)
    assert tokens.shape == (2, 77)
    assert torch.equal(tokens, open_clip.get_tokenizer("RN50x16-quickgelu")(texts))
    assert byte_pairs.unknown_words(texts[0]) == []


def test_byte_pairs_may_fill_the_context_but_not_pass_it(byte_pairs: StrictTokenizer) -> None:
    full = "hat " * 75
    tokens = byte_pairs([full])
    assert (tokens != 0).all()
    assert int(tokens[0, -1]) == int(tokens.max())  # the end of text is still there
    with pytest.raises(SDGError, match=r"'hat hat .*…' takes more than the 75 tokens .* shorten it"):
        byte_pairs(["a hat", full + "hat"])


@pytest.mark.parametrize("count", [40, 400])
def test_an_overlong_text_of_zeros_is_refused_too(byte_pairs: StrictTokenizer, count: int) -> None:
    """A "!" inside a word is token 0, which is also the padding, so every other token of this one is 0."""
    with pytest.raises(SDGError, match="takes more than the 75 tokens"):
        byte_pairs(["!#" * count])


@pytest.mark.parametrize("text", ["", "  ", "&nbsp;"])
def test_empty_byte_pairs_are_refused(byte_pairs: StrictTokenizer, text: str) -> None:
    with pytest.raises(SDGError, match="a prompt is empty"):
        byte_pairs(["a hat", text])
