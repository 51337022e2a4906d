"""The wheel alone, in an environment of its own on another path, draws from an empty folder."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from sdg.composition import ROOT

UV = [sys.executable, "-m", "uv"]


def run(*command: str | Path, folder: Path) -> str:
    """What a command prints, in an environment that knows nothing of the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SDG_", "PYTHON"))}
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(*UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT, folder=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_the_wheel_carries_configuration_weights_and_terms(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("conf", "checkpoints"):
        files = {f"sdg/shipped/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / folder).rglob("*.*")}
        assert files - {name for name in files if "__pycache__" in name} <= names
    assert "sdg/py.typed" in names
    assert any(re.search(r"dist-info/.*LICENSE", name) for name in names)


@pytest.mark.slow
def test_an_empty_environment_draws_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """Installs what the wheel asks for, and nothing else."""
    environment, here = tmp_path / "environment", tmp_path / "here"
    here.mkdir()
    run(*UV, "venv", "--quiet", "--python", sys.executable, environment, folder=here)
    python, command = environment / "bin" / "python", environment / "bin" / "sdg"
    constraints = ("--constraint", ROOT / "constraints.txt")
    run(*UV, "pip", "install", "--quiet", "--python", python, *constraints, wheel, folder=here)
    assert "sdg 0." in run(command, "--version", folder=here)
    words = ["a face with glasses", "n=1", "unguided=false", "steps=2", "output_dir=drawn"]
    said = run(command, "draw", *words, folder=here)
    assert "look at drawn/index.html" in said
    with Image.open(here / "drawn" / "samples" / "000000.png") as image:
        assert image.size == (64, 64)
    again = run(command, "again", "drawn/samples/000000.png", folder=here)
    assert "the same, byte for byte" in again
    api = "import sdg; p = sdg.load().draw('a face with glasses', steps=2); p[0].save('api.png')"
    run(python, "-c", api, folder=here)
    assert (here / "api.png").read_bytes() == (here / "drawn" / "samples" / "000000.png").read_bytes()
    absent = run(python, "-c", "import importlib.util as u; print(u.find_spec('wandb'))", folder=here)
    assert absent.strip() == "None"
