"""The size that a collection of pictures is learnt at."""

from pathlib import Path

import pytest
from PIL import Image

from sdg.data.fitting import fitting_size
from sdg.errors import SDGError


def folder(path: Path, *sizes: tuple[int, int]) -> str:
    path.mkdir(exist_ok=True)
    for i, size in enumerate(sizes):
        Image.new("RGB", size).save(path / f"{i}.png")
    return str(path)


@pytest.mark.parametrize(
    "sizes, expected",
    [
        ([(64, 64)] * 3, 64),
        ([(400, 300)] * 3, 64),
        ([(200, 63)] * 3, 32),
        ([(40, 40), (64, 64), (64, 90)], 64),
        ([(40, 40), (40, 40), (640, 900)], 32),
    ],
)
def test_most_pictures_are_not_enlarged(sizes: list[tuple[int, int]], expected: int, tmp_path: Path) -> None:
    assert fitting_size(folder(tmp_path / "p", *sizes), (), str(tmp_path / "cache")) == expected


def test_what_cannot_be_learnt_is_told(tmp_path: Path) -> None:
    for root, message in (
        (None, "data.root is not set"),
        (folder(tmp_path / "small", (20, 20)), "smaller than 32 px"),
        (folder(tmp_path / "empty"), "no picture"),
    ):
        with pytest.raises(SDGError, match=message):
            fitting_size(root, (), str(tmp_path / "cache"))
