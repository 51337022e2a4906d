"""A library that is absent is told with the extra that brings it."""

import sys
import tomllib

import pytest

from sdg.composition import ROOT
from sdg.errors import SDGError
from sdg.extras import EXTRAS, need


def test_an_absent_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(SDGError, match=r"needs lmdb.*pip install 'sdg\[lsun\]'"):
        need("lmdb")


def test_every_extra_brings_its_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for library, extra in EXTRAS.items():
        brought = [word.replace("-", "_") for word in project["optional-dependencies"][extra]]
        assert any(word.startswith(library) for word in brought), library
        assert f"{extra}" in project["optional-dependencies"]["all"][0]
        assert not any(word.replace("-", "_").startswith(library) for word in project["dependencies"])
