"""A studio of tiny networks, a picture, and the page's folder."""

from pathlib import Path

import pytest
from PIL import Image

import sdg
from sdg.data.toyfaces.references import write_references
from sdg.play.folder import Folder
from sdg.studio import Studio
from tests.tiny import make_weights


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    words = make_weights(tmp_path_factory.mktemp("weights"))
    return sdg.load(*words, "sampler.steps=3", device="cpu")


@pytest.fixture(scope="session")
def face(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pictures")
    write_references(folder, 1, size=32)
    return str(folder / "face_000.png")


@pytest.fixture
def mask(tmp_path: Path) -> str:
    """White, and so redrawn, on the right."""
    image = Image.new("L", (32, 32))
    image.paste(255, (16, 0, 32, 32))
    image.save(tmp_path / "mask.png")
    return str(tmp_path / "mask.png")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "play")
