from pathlib import Path

import pytest

from sdg.data.prompts import read_prompts
from sdg.errors import SDGError


def test_json_lines_hold_a_prompt_each(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(
        '{"prompt": "a hat", "mentioned": {"hat": "yes"}}\n\n# and\n{"prompt": " größe "}\n', "utf-8"
    )
    assert read_prompts(path) == ["a hat", "größe"]


@pytest.mark.parametrize(
    "line",
    ["a hat", '{"text": "a hat"}', '["a hat"]', "3", '{"prompt": null}', '{"prompt": 5}', "[" * 100_000],
)
def test_other_lines_are_refused_by_their_numbers(tmp_path: Path, line: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(f'# two\n{{"prompt": "a smile"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(
        SDGError, match=r'line 3 of .*prompts.jsonl is not like \{"prompt": "a smiling face"\}: mend it'
    ):
        read_prompts(path)


def test_an_empty_prompt_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": " "}\n', encoding="utf-8")
    with pytest.raises(SDGError, match=r"line 1 of .*prompts.jsonl has an empty prompt"):
        read_prompts(path)


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("a\u2028b\x0bc\x85d\r\n\x1ce ${f}\n".encode())
    assert read_prompts(path) == ["a\u2028b\x0bc\x85d", "e ${f}"]


def test_what_is_not_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(b"a face\na gr\xf6\xdfe\n")
    with pytest.raises(SDGError, match=r"line 2 of .*prompts.txt is not UTF-8: save it as plain text"):
        read_prompts(path)
