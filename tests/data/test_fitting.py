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


def test_pictures_that_cannot_be_read_have_no_say(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", (64, 64), (64, 64), (64, 64))
    for name in "ab":
        (tmp_path / "p" / f"{name}.png").write_bytes(b"")
    assert fitting_size(root, (), str(tmp_path / "cache")) == 64


def test_what_cannot_be_learnt_is_told(tmp_path: Path) -> None:
    damaged = folder(tmp_path / "damaged")
    (tmp_path / "damaged" / "a.png").write_bytes(b"")
    for root, message in (
        (None, "data.root is not set"),
        (folder(tmp_path / "small", (20, 20)), "smaller than 32 px"),
        (folder(tmp_path / "empty"), "no picture"),
        (damaged, "none of 1 pictures of .* can be read"),
    ):
        with pytest.raises(SDGError, match=message):
            fitting_size(root, (), str(tmp_path / "cache"))
