"""Text files are UTF-8 whatever the locale: every reading and writing of text says so."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdg.composition import ROOT

SOURCES = [
    path
    for folder in ("sdg", "experiments", "notebooks")
    for path in (ROOT / folder).rglob("*.py")
    if path.is_file()
]


def silent(code: str) -> Iterator[int]:
    """The lines of code that read or write text in the locale's encoding."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        said = {keyword.arg: keyword.value for keyword in node.keywords}
        if "encoding" in said:
            continue
        if name in ("read_text", "write_text") and len(node.args) < {"read_text": 1, "write_text": 2}[name]:
            yield node.lineno
        if name == "open" and _opens_text(node, said):
            yield node.lineno
        if name in ("run", "Popen", "check_output") and {"text", "universal_newlines"} & said.keys():
            yield node.lineno


def _opens_text(node: ast.Call, said: dict) -> bool:
    """Whether a call of ``open`` opens a text file, and not a picture, an archive or a device."""
    if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) in ("Image", "os", "zipfile"):
        return False
    place = 0 if isinstance(node.func, ast.Attribute) else 1
    mode = said.get("mode", node.args[place] if len(node.args) > place else ast.Constant("r"))
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value


@pytest.mark.parametrize(
    "line, wrong",
    [
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, encoding='utf-8')", False),
        ("open(path)", True),
        ("path.open('a')", True),
        ("path.open('rb')", False),
        ("Image.open(path)", False),
        ("subprocess.run(words, text=True)", True),
    ],
)
def test_the_rule_bites(line: str, wrong: bool) -> None:
    assert bool([*silent(line)]) == wrong


def test_all_text_names_its_encoding() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line in silent(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_command_speaks_utf8_in_the_locale_c(tmp_path: Path) -> None:
    """A prompt, a name and a message with other letters than ASCII's, by bytes."""
    script = tmp_path / "command.py"
    script.write_text(
        "from pathlib import Path\nfrom sdg.config import entry\n\n@entry('sample')\ndef main(config):\n"
        "    Path(config.output_dir).mkdir()\n    print(config.prompts[0], config.output_dir)\n\nmain()\n",
        encoding="utf-8",
    )
    words = ["prompts=['größe → x']", "output_dir='süß'"]
    done = subprocess.run(
        [os.fsencode(sys.executable), os.fsencode(script), *(word.encode() for word in words)],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode("utf-8") == "größe → x süß\n"
    assert done.stderr == b""
    assert "süß".encode() in os.listdir(os.fsencode(tmp_path))
