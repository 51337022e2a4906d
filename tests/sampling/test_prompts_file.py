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


@pytest.mark.parametrize("line", ["a hat", '{"text": "a hat"}', '["a hat"]', "3"])
def test_other_lines_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(f'{{"prompt": "a smile"}}\n{line}\n')
    with pytest.raises(
        SDGError, match=r'prompts.jsonl has a line that is not like \{"prompt": "a smiling face"\}'
    ):
        read_prompts(path)
