"""The documents name files that exist, link to places that exist, and show code that runs."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdg.composition import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("experiments/*/README.md")),
]
BY_NAME = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: document.relative_to(ROOT).as_posix()
)


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@BY_NAME
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:sdg|conf|tests|notebooks|docs|experiments)/[\w./-]*)", document.read_text("utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@BY_NAME
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("http")]
    for target in targets:
        file, _, anchor = target.partition("#")
        there = (document.parent / file) if file else document
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text("utf-8")), target


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(path, marks=pytest.mark.slow if path.stem in ("extending", "scaling") else ())
        for path in DOCUMENTS
    ],
    ids=lambda document: document.relative_to(ROOT).as_posix(),
)
def test_code_runs(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", document.read_text("utf-8"), re.DOTALL):
        exec(block, names)
    for drawn in (tmp_path / "docs" / "images").iterdir():
        shown = ROOT / "docs" / "images" / drawn.name
        with Image.open(drawn) as new, Image.open(shown) as old:
            assert np.array_equal(np.asarray(new), np.asarray(old)), f"{shown} is out of date: draw it again"
