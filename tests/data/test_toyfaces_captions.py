import re

import pytest
import torch

from sdg.data.toyfaces import ATTRIBUTES, lexicon, sample_attributes
from sdg.data.toyfaces.captions import (
    HELD_OUT_FRAMES,
    TRAINING_FRAMES,
    VOCABULARY,
    Caption,
    caption,
    prompt,
    words,
)
from sdg.errors import SDGError

COUNT = 6000
ROWS = sample_attributes(0, torch.arange(COUNT)).tolist()
TRAINING = [caption(row, 0, i) for i, row in enumerate(ROWS)]
HELD_OUT = [caption(row, 0, i, held_out=True) for i, row in enumerate(ROWS)]

HAIR = "|".join(word for synonyms in lexicon.HAIR_WORDS.values() for word in synonyms)
# How a reader finds what a text says about each attribute, without the grammar; group 1 is the key word.
READERS = {
    "hair_color": re.compile(
        rf"(?:({HAIR})[ -])?\b(black|brown|blonde?|golden|red|ginger|gr[ea]y|silver|blue|green)[ -]hair"
    ),
    "hair_length": re.compile(r"\b(short|cropped|long|flowing)(?:-haired| hair| \w+ hair)"),
    "skin": re.compile(r"\b(light|fair|pale|medium|tan|dark)[ -](?:skin|complexion)"),
    "background": re.compile(r"\b(\w+)(?: blue)? (?:background|backdrop)"),
    "glasses": re.compile(r"\b(glasses|spectacles|eyeglasses|bespectacled)\b"),
    "hat": re.compile(r"\b(hat|beanie|cap)\b"),
    "beard": re.compile(r"\b(beard|bearded|beardless|clean-shaven)\b"),
    "expression": re.compile(
        r"\b(smil\w+|happy|cheerful|neutral|calm|serious|expressionless|frown\w*|sad|unhappy)\b"
    ),
}
MEANS = {
    "blonde": "blond", "golden": "blond", "ginger": "red", "gray": "grey", "silver": "grey",
    "cropped": "short", "flowing": "long", "fair": "light", "pale": "light", "tan": "medium",
    "violet": "purple", "turquoise": "teal", "smile": "smiling", "happy": "smiling", "cheerful": "smiling",
    "calm": "neutral", "serious": "neutral", "expressionless": "neutral", "frown": "frowning",
    "sad": "frowning", "unhappy": "frowning",
}  # fmt: skip


def read(text: str) -> dict[str, str]:
    """What a text says, by regular expressions written apart from the grammar."""
    found = {}
    for name, reader in READERS.items():
        match = reader.search(text)
        if match is None:
            continue
        word = match[match.lastindex or 1]
        if name in ("glasses", "hat", "beard"):
            denied = re.search(rf"(\bno|\bor|without( an?)?|\bor an?) {word}\b", text)
            found[name] = "no" if denied or word in ("beardless", "clean-shaven") else "yes"
        else:
            found[name] = MEANS.get(word, word)
    return found


@pytest.mark.parametrize("captions", [TRAINING, HELD_OUT], ids=["training", "held out"])
def test_captions_say_what_they_mention_and_it_is_true(captions: list[Caption]) -> None:
    for row, (text, mentioned) in zip(ROWS, captions, strict=True):
        true = {name: ATTRIBUTES[name][value] for name, value in zip(ATTRIBUTES, row, strict=True)}
        assert mentioned.items() <= true.items()
        assert read(text) == mentioned, text


def test_captions_are_partial_and_mostly_short() -> None:
    counts = torch.bincount(torch.tensor([len(mentioned) for _, mentioned in TRAINING]), minlength=6) / COUNT
    assert counts[0] == 0
    assert len(counts) == 6
    assert counts[1:4].sum() > 0.75
    assert (counts[1:] > 0.03).all()
    for name, values in ATTRIBUTES.items():
        assert {mentioned[name] for _, mentioned in TRAINING if name in mentioned} == set(values)


def test_captions_depend_on_their_arguments_only() -> None:
    for i in (5999, 0, 17):
        assert caption(ROWS[i], 0, i) == TRAINING[i]
        assert caption(tuple(ROWS[i]), 0, i, held_out=True) == HELD_OUT[i]
    assert len({caption(ROWS[0], seed, 0).text for seed in range(50)}) > 30


def test_held_out_phrasings_never_occur_in_training() -> None:
    assert not set(HELD_OUT_FRAMES) & set(TRAINING_FRAMES)
    # Each opener and each clause occurs in training, but never together.
    assert {opener for opener, _ in HELD_OUT_FRAMES} == {opener for opener, _ in TRAINING_FRAMES}
    assert {clause for _, clause in HELD_OUT_FRAMES} == {clause for _, clause in TRAINING_FRAMES}
    assert not {text for text, _ in TRAINING} & {text for text, _ in HELD_OUT}


@pytest.mark.parametrize(
    "mentioned",
    [{"hat": "no"}, {"expression": "smiling"}, {"background": "teal"}, {"beard": "yes", "skin": "dark"}],
    ids=str,
)
def test_held_out_phrasings_of_the_same_thing_are_new(mentioned: dict[str, str]) -> None:
    training = {prompt(mentioned, 0, i, held_out=False) for i in range(1500)}
    held_out = {prompt(mentioned, 0, i) for i in range(500)}
    assert len(held_out) >= 15
    assert not training & held_out
    assert all(read(text) == mentioned for text in training | held_out)


def test_the_vocabulary_is_exactly_what_is_said() -> None:
    said = {word for text, _ in TRAINING for word in words(text)}
    assert list(VOCABULARY) == sorted(said)
    assert {word for text, _ in HELD_OUT for word in words(text)} <= said


@pytest.mark.parametrize(
    "text, mentioned",
    [
        ("a smiling face with red hair", {"expression": "smiling", "hair_color": "red"}),
        ("a face with glasses and a hat", {"glasses": "yes", "hat": "yes"}),
        ("a smiling face", {"expression": "smiling"}),
        ("long red hair and glasses", {"hair_color": "red", "hair_length": "long", "glasses": "yes"}),
        ("an unhappy person", {"expression": "frowning"}),
    ],
)
def test_everyday_forms_are_among_the_training_phrasings(text: str, mentioned: dict[str, str]) -> None:
    assert text in {prompt(mentioned, 0, i, held_out=False) for i in range(4000)}


def test_articles_fit_their_nouns() -> None:
    for text, _ in TRAINING + HELD_OUT:
        for article, word in re.findall(r"\b(an?) (\w+)", text):
            assert (article == "an") == (word[0] in "aeiou"), text
        assert not re.search(r"\ban? (eye)?glasses\b|\ba spectacles\b|  | ,|,,|\b(and|or|with|has)$", text), (
            text
        )


def test_bad_input_names_the_remedy() -> None:
    with pytest.raises(SDGError, match="mention at least one attribute"):
        prompt({}, 0, 0)
    with pytest.raises(SDGError, match=r"unknown attribute 'glases'; did you mean 'glasses'\?"):
        prompt({"glases": "yes"}, 0, 0)
    with pytest.raises(SDGError, match=r"unknown expression 'smile'; did you mean 'smiling'\?"):
        prompt({"expression": "smile"}, 0, 0)
    with pytest.raises(SDGError, match="needs 8 attributes"):
        caption([0, 1], 0, 0)
    with pytest.raises(SDGError, match=r"skin must be in 0\.\.2 \(light, medium, dark\), got 9"):
        caption([0, 0, 9, 0, 0, 0, 0, 0], 0, 0)
