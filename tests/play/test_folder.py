"""Kept files have names of their content, show what they should, and go nowhere else."""

import io
from pathlib import Path

import pytest
from PIL import Image

import sdg
from sdg.errors import SDGError
from sdg.play.folder import Folder, as_gif, paired, to_brush
from sdg.studio import Step, Studio


def colour(name: str, side: int = 8) -> Image.Image:
    return Image.new("RGB", (side, side), name)


def test_a_picture_is_kept_once_whatever_it_is_called(folder: Folder) -> None:
    names = [folder.keep_picture(colour("red"), name) for name in ("a b/../ü.png", "a b/../ü.png", "x.jpg")]
    assert names[0] == names[1] != names[2]
    assert [Path(name).name.partition("-")[0] for name in names] == ["_", "_", "x"]
    assert {Path(name).parent for name in names} == {folder.root / "pictures"}
    assert names[0] != folder.keep_picture(colour("blue"), "ü.png")


def test_strokes_of_all_layers_are_redrawn_and_come_back_to_the_brush(folder: Folder) -> None:
    layers = [Image.new("RGBA", (8, 8)) for _ in range(2)]
    layers[0].putpixel((1, 2), (0, 0, 0, 255))
    layers[1].putpixel((6, 5), (9, 9, 9, 128))
    path = str(folder.keep_mask(layers))
    with Image.open(path) as mask:
        lit = {(x, y): mask.getpixel((x, y)) for x in range(8) for y in range(8) if mask.getpixel((x, y))}
    assert lit == {(1, 2): 255, (6, 5): 128}
    assert folder.keep_mask([]) is folder.keep_mask([Image.new("RGBA", (8, 8))]) is None

    editor = to_brush(folder.keep_picture(colour("red"), "r.png"), path)
    assert editor is not None
    assert editor["background"].size == editor["layers"][0].size == (320, 320)
    assert editor["layers"][0].getchannel("A").getpixel((60, 100)) > 200
    assert to_brush(None) is None


def test_a_chain_is_shown_with_each_pair_side_by_side() -> None:
    def step(number: int, *names: str) -> Step:
        return Step(number, 2, 0, [colour(name) for name in names], [], [], [])

    with Image.open(io.BytesIO(as_gif([step(1, "red", "lime"), step(2, "blue", "white")]))) as gif:
        assert (gif.n_frames, gif.size) == (2, (384, 192))
        frames = []
        for number in range(2):
            gif.seek(number)
            frame = gif.convert("RGB")
            frames.append((frame.getpixel((0, 0)), frame.getpixel((383, 191)), gif.info["duration"]))
    assert frames == [((255, 0, 0), (0, 255, 0), 80), ((0, 0, 255), (255, 255, 255), 1500)]
    images = [colour(name) for name in ("red", "lime", "blue", "white")]
    assert paired(images) == [images[0], images[2], images[1], images[3]]


def test_a_drawing_is_kept_with_its_settings(studio: Studio, folder: Folder) -> None:
    steps = list(studio.steps("a hat", n=2, unguided=True, group=2))
    assert steps[-1].pictures is not None
    *pictures, chain = folder.keep_drawing(steps[-1].pictures, steps)
    assert [Path(path).name.rpartition("-")[0] for path in pictures] == ["seed0-0", "seed0-1"]
    for path, picture in zip(pictures, steps[-1].pictures[2:], strict=True):
        assert Path(path).read_bytes() == picture.png == sdg.again(path, device="cpu").png
    assert chain.endswith(".gif")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "play").write_text("a file stands in the way")
    with pytest.raises(SDGError, match=r"cannot write .*make room there"):
        Folder(tmp_path / "play").keep_picture(colour("red"), "r.png")
