from pathlib import Path

import pytest

from sdg.data.toyfaces import ATTRIBUTES
from sdg.errors import SDGError
from sdg.metrics.mentions import Mentions
from tests.metrics.examples import write_mentions


def test_tells_the_value_of_what_is_mentioned_and_nothing_of_the_rest(tmp_path: Path) -> None:
    said = {"a hat": {"hat": "yes"}, "red and sad": {"hair_color": "red", "expression": "frowning"}}
    table = Mentions(write_mentions(tmp_path / "m.jsonl", said))(["red and sad", "a hat", "red and sad"])
    expected = dict.fromkeys(ATTRIBUTES, -1)
    assert table[0].tolist() == list((expected | {"hair_color": 3, "expression": 2}).values())
    assert table[1].tolist() == list((expected | {"hat": 1}).values())
    assert table[2].tolist() == table[0].tolist()


def test_every_prompt_must_be_known(tmp_path: Path) -> None:
    mentions = Mentions(write_mentions(tmp_path / "m.jsonl", {"a hat": {"hat": "yes"}}))
    with pytest.raises(SDGError, match="does not say what 'a beard' and 1 more mentions"):
        mentions(["a hat", "a beard", "a beard", "a smile"])
    with pytest.raises(SDGError, match="give mentions=FILE"):
        Mentions(None)(["a hat"])


def test_blank_lines_and_comments_say_nothing(tmp_path: Path) -> None:
    said = '{"prompt": "a hat", "mentioned": {"hat": "yes"}}'
    (tmp_path / "m.jsonl").write_text(f"# hats\n\n{said}\n")
    assert list(Mentions(tmp_path / "m.jsonl").rows) == ["a hat"]


@pytest.mark.parametrize(
    "line, message",
    [
        ("a face with a hat", "line 1 of .* is not like"),
        ('{"prompt": "a hat"}', "line 1 of .* is not like"),
        ('{"prompt": "a hat", "mentioned": "hat"}', "line 1 of .* is not like"),
        ('{"prompt": "a hat", "mentioned": {"hats": "yes"}}', "did you mean 'hat'"),
        ('{"prompt": "a hat", "mentioned": {"hat": "maybe"}}', "choose one of no, yes"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "m.jsonl").write_text(line + "\n")
    with pytest.raises(SDGError, match=message):
        Mentions(tmp_path / "m.jsonl")
    with pytest.raises(SDGError, match="there is no mentions file"):
        Mentions(tmp_path / "nowhere.jsonl")
