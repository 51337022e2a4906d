"""Captions are true of the labels they are made from, varied, and spelt with a known vocabulary."""

from random import Random

import pytest

from sdg.data.captions import ColumnCaptions, LabelCaptions
from sdg.data.labels import Label
from sdg.errors import SDGError
from sdg.networks.tokenizer import split_words

LABELS = {
    "age": {"baby": [0, 3], "young": [3, 40], "elderly": [40, None]},
    "sex": {"man": "m", "woman": "f"},
    "smile": {"smiling": True, "not smiling": False},
}
SENTENCES = [
    "a {age} {sex}",
    "a photo of a {age} person",
    "a {smile} person, {sex}.",
    {"say": "a {sex}", "only": {"age": ["young", "elderly"]}},
]
WORDS = {
    "baby man": ["boy"],
    "baby person": ["baby", "infant"],
    "not smiling": ["serious"],
    "photo": ["picture"],
}


def said(captions: LabelCaptions, row: dict, count: int = 300) -> set[str]:
    content = captions.prepare([row])
    return {captions.caption(content, Random(i)) for i in range(count)}


def test_every_caption_of_a_picture_fits_its_labels():
    captions = LabelCaptions(LABELS, SENTENCES, WORDS)
    assert said(captions, {"age": "1", "sex": "m", "smile": "false"}) == {
        "a boy",
        "a picture of a baby",
        "a picture of an infant",
        "a serious person, man.",
    }
    assert said(captions, {"age": "39.5", "sex": "f"}) == {
        "a young woman",
        "a picture of a young person",
        "a woman",
    }
    assert said(captions, {"age": "40", "sex": ""}) == {"a picture of an elderly person"}


def test_a_description_tells_as_many_labels_as_a_sentence_can():
    captions = LabelCaptions(LABELS, SENTENCES, WORDS)
    content = captions.prepare([{"age": "20", "sex": "f", "smile": "true"}])
    told = {captions.description(content, Random(i)) for i in range(100)}
    assert told == {"a young woman", "a smiling person, woman."}


def test_a_picture_of_which_no_sentence_can_be_said_has_none():
    captions = LabelCaptions(LABELS, SENTENCES, WORDS)
    assert captions.prepare([{"sex": "f"}]) is None
    assert captions.prepare([{"age": None, "sex": None}]) is None


def test_labels_that_no_picture_has_are_known():
    captions = LabelCaptions(LABELS, SENTENCES)
    contents = [captions.prepare([{"age": "5", "sex": "f"}]), captions.prepare([{"age": "7"}])]
    assert captions.unsaid(contents) == ["smile"]


def test_the_vocabulary_holds_all_that_is_said():
    captions = LabelCaptions(LABELS, SENTENCES, WORDS)
    rows = [{"age": age, "sex": sex, "smile": s} for age in "199" for sex in "mf" for s in ("true", "false")]
    heard = {word for row in rows for text in said(captions, row) for word in split_words(text)}
    vocabulary = captions.vocabulary([])
    assert heard <= set(vocabulary)
    assert vocabulary == sorted(set(vocabulary))
    assert {"an", "infant", "serious", "boy"} <= set(vocabulary)


@pytest.mark.parametrize(
    "value, cell, named",
    [
        ("0", "0", "a"),
        (0, "0", "a"),
        (0.0, 0, "a"),
        ("zero", " zero ", "a"),
        (True, "true", "a"),
        (False, False, "a"),
        ([0, 3], "2.99", "a"),
        ([None, 3], "-5", "a"),
        ([3, None], "1e9", "a"),
    ],
)
def test_a_cell_means_a_value(value, cell, named):
    assert Label("x", {"b": "other", "a": value}).read({"x": cell}) == named


def test_a_list_of_values_means_cells_of_their_names():
    assert Label("x", ["cat", "dog"]).read({"x": "dog"}) == "dog"


@pytest.mark.parametrize("cell", ["131", "-1", "old", "nan"])
def test_a_cell_out_of_range_is_told_with_the_ranges(cell: str):
    label = Label("age", {"baby": [0, 3], "other": [3, 120], "unborn": "x"})
    complaint = rf"age is '{cell}', none of baby \(from 0 below 3\), other \(from 3 below 120\), unborn \(x\)"
    with pytest.raises(SDGError, match=complaint):
        label.read({"age": cell})


@pytest.mark.parametrize(
    "labels, sentences, words, complaint",
    [
        ({}, ["a face"], {}, "need both"),
        (LABELS, [], {}, "need both"),
        (LABELS, ["a {hair} person"], {}, r"asks for hair: add it to data\.captions\.labels"),
        (LABELS, [{"say": "a {sex}", "only": {"age": ["old"]}}], {}, "only for old, which is no age"),
        (LABELS, [{"says": "a {sex}"}], {}, "is not like {say: a face"),
        (LABELS, [3], {}, "is not like {say: a face"),
        (LABELS, SENTENCES, {"babby": ["infant"]}, "no sentence says 'babby'"),
        (LABELS, SENTENCES, {"baby boy": ["infant"]}, "no sentence says 'baby boy'"),
        (LABELS, SENTENCES, {"baby": []}, "no sentence says 'baby'"),
        ({"age": {"old": [1, 2, 3]}}, ["{age}"], {}, r"the value old of the label age needs a cell or"),
    ],
)
def test_a_grammar_that_makes_no_sense_is_told(labels, sentences, words, complaint):
    with pytest.raises(SDGError, match=complaint):
        LabelCaptions(labels, sentences, words)


def test_several_rows_of_labels_are_one_too_many():
    with pytest.raises(SDGError, match="several rows of labels"):
        LabelCaptions(LABELS, SENTENCES).prepare([{"age": "1"}, {"age": "2"}])


def test_captions_of_a_column_are_its_cells_cut_to_what_is_read():
    captions = ColumnCaptions("said", longest=3)
    rows = [{"said": "a  man with a hat"}, {"said": ["a hat", "", None]}, {"said": "…"}]
    content = captions.prepare(rows)
    assert content == ["a man with", "a hat"]
    assert {captions.caption(content, Random(i)) for i in range(50)} == set(content)
    assert captions.description(content, Random(0)) == "a man with a hat"
    assert captions.vocabulary([content, ["Über 12 hats"]]) == [
        "12",
        "a",
        "ber",
        "hat",
        "hats",
        "man",
        "with",
    ]
    assert captions.prepare([{"said": ""}]) is None
    with pytest.raises(SDGError, match=r"no column said \(but file, caption\)"):
        captions.prepare([{"file": "1.png", "caption": "a face"}])
