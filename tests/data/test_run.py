"""``python -m sdg.data prepare`` as a user types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sdg.composition import ROOT
from sdg.data.file_data import FileData
from sdg.data.run import prepare
from sdg.errors import SDGError
from tests.data.pictures import make_folder
from tests.tiny import configure


def command(cwd: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "sdg.data", *words],
        cwd=cwd,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "SDG_CACHE": str(cwd / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_prepare_writes_the_cache_that_data_of_its_settings_reads(tmp_path: Path):
    root = make_folder(tmp_path / "set", 5)
    result = command(tmp_path, "prepare", "data=ffhq", f"data.root={root}", "size=16", "data.workers=0")
    assert result.returncode == 0, result.stderr
    data = FileData(str(root), "ffhq", size=16, cache=str(tmp_path / "cache"))
    assert result.stdout == f"prepared: {data.cache}\n"
    assert result.stderr == ""  # it was quick: no line of progress
    assert data.squares is not data.source
    assert all(torch.equal(data.squares[index], data.source[index]) for index in range(5))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "set"]


def test_without_a_verb_the_command_says_how_to_use_it(tmp_path: Path):
    result = command(tmp_path, "data=ffhq")
    assert result.returncode == 1
    assert result.stderr.startswith("error: say what to do: python -m sdg.data prepare")


def test_toyfaces_need_no_preparation():
    with pytest.raises(SDGError, match="drawn, not read"):
        prepare(configure("prepare", ["data=toyfaces"]))
