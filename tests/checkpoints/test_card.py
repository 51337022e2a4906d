"""The encoder's card: what is written is read, and what is damaged, missing or another's is refused."""

import json
from pathlib import Path

import pytest
import torch

from sdg.checkpoints.card import Card, read_card, write_card
from sdg.errors import SDGError
from sdg.files import file_hash

CARD = Card(
    (0, 500, 999),
    (("a red face", "a face", (1.0, 0.75, 0.5)), ("ein Gesicht mit Brille", "a face", (0.9, 0.8, 0.7))),
    torch.tensor([0.25, -0.5]),
    {"encoder": "1" * 64, "clip": "2" * 64},
)


def test_a_card_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_card(path, CARD, {"command": "python -m experiments.visibility"})
    card = read_card(path)
    assert torch.equal(card.mean, CARD.mean)
    assert card._replace(mean=CARD.mean) == CARD
    assert json.loads(path.read_text())["command"] == "python -m experiments.visibility"


def test_without_a_card_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    for path in (None, tmp_path / "none.json"):
        with pytest.raises(SDGError, match=r"no card.*python -m experiments\.visibility"):
            read_card(path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"levels": [], "pairs": [], "mean": [1], "hashes": {"encoder": "", "clip": ""}}',
        '{"levels": [5, 0], "pairs": [], "mean": [1], "hashes": {"encoder": "", "clip": ""}}',
        '{"levels": [0], "pairs": [], "mean": 1, "hashes": {"encoder": "", "clip": ""}}',
        '{"levels": [0], "pairs": [], "mean": [1], "hashes": {}}',
        '{"levels": [0], "pairs": [{"a": "x", "b": "y", "accuracy": [1, 1]}], "mean": [1], '
        '"hashes": {"encoder": "", "clip": ""}}',
    ],
)
def test_what_is_no_card_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "card.json"
    path.write_text(content)
    with pytest.raises(SDGError, match=r"card\.json (is not an encoder's card|is damaged)"):
        read_card(path)


def test_a_card_of_other_weights_is_refused(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    mine = CARD._replace(hashes={"encoder": file_hash(weights), "clip": "2" * 64})
    mine.check("card.json", "encoder", weights)
    with pytest.raises(SDGError, match=r"the card card\.json is of another clip than .*weights"):
        mine.check("card.json", "clip", weights)


def test_a_card_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="cannot write"):
        write_card(tmp_path / "none" / "card.json", CARD, {})
    assert list(tmp_path.iterdir()) == []
