"""Pictures from files: every mode Pillow can save, the preparation of the public checkpoints, and damage."""

import errno
import io
import os
import random
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sdg.data.listing import list_pictures
from sdg.data.picture import (
    adm_square,
    box_square,
    open_picture,
    picture_size,
    read_mask,
    read_picture,
)
from sdg.errors import SDGError

RED, GREY = (200, 40, 80), 100


def quadrants(mode: str = "RGB", size: int = 16) -> Image.Image:
    """Red, green / blue, white squares: no two corners and no rotation alike."""
    pixels = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    pixels[:half, :half], pixels[:half, half:] = (255, 0, 0), (0, 255, 0)
    pixels[half:, :half], pixels[half:, half:] = (0, 0, 255), (255, 255, 255)
    return Image.fromarray(pixels).convert(mode)


def colour(path: Path) -> list[int]:
    """The colour of a picture of one colour, as bytes."""
    pixels = (read_picture(path, 4) + 1) * 127.5
    assert pixels.std(dim=(1, 2)).max() < 2
    return pixels.mean(dim=(1, 2)).round().int().tolist()


@pytest.mark.parametrize(
    "mode, value, suffix, seen",
    [
        ("RGB", RED, "png", RED),
        ("L", GREY, "png", (GREY,) * 3),
        ("1", 1, "png", (255,) * 3),
        ("1", 0, "pbm", (0,) * 3),
        ("RGBA", (*RED, 255), "png", RED),
        ("RGBA", (*RED, 0), "png", (255,) * 3),
        ("RGBA", (0, 0, 0, 51), "webp", (204,) * 3),
        ("LA", (0, 51), "png", (204,) * 3),
        ("CMYK", (0, 255, 255, 0), "tif", (255, 0, 0)),
        ("CMYK", (0, 255, 255, 0), "jpg", (254, 0, 0)),
        ("YCbCr", (128, 128, 128), "tif", (128,) * 3),
        ("I;16", 100 * 257, "png", (100,) * 3),
        ("I;16", 100 * 257, "tif", (100,) * 3),
        ("I;16B", 100 * 257, "tif", (100,) * 3),
        ("I", 65535, "tif", (255,) * 3),  # 32 bits: scaled by as many as its values need
        ("I", 200, "tif", (200,) * 3),
        ("I", 2**31 - 1, "tif", (255,) * 3),
        ("I", 2**19 - 1 + 2**20, "tif", (191,) * 3),
        ("F", 0.2, "tif", (51,) * 3),
        ("RGB", RED, "bmp", RED),
        ("RGB", RED, "ppm", RED),
        ("RGB", RED, "gif", RED),
    ],
)
def test_every_mode_gives_the_colours_a_viewer_shows(tmp_path, mode, value, suffix, seen):
    path = tmp_path / f"picture.{suffix}"
    # Before 13, Pillow cannot read the plain TIFF of this mode.
    exact = {"lossless": True} if suffix == "webp" else {"compression": "jpeg"} if mode == "YCbCr" else {}
    Image.new(mode, (9, 7), value).save(path, **exact)
    assert colour(path) == pytest.approx(list(seen), abs=1)


def tiff(path: Path, rows: list[bytes], width: int, bits: int, white_is_zero: bool = False, format: int = 1):
    """A greyscale TIFF of samples that Pillow cannot write."""
    data = b"".join(rows)
    entries = {256: width, 257: len(rows), 258: bits, 259: 1, 262: int(not white_is_zero), 273: 8}
    entries |= {277: 1, 278: len(rows), 279: len(data), 339: format}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    header = b"II*\0" + struct.pack("<I", 8 + len(data))
    path.write_bytes(header + data + struct.pack("<H", len(entries)) + body + bytes(4))


def test_tiffs_of_twelve_sixteen_and_32_bits_have_their_white(tmp_path):
    pair = bytes([2047 >> 4, (2047 & 15) << 4 | 4095 >> 8, 4095 & 255])  # 2047 and 4095 in three bytes
    tiff(tmp_path / "12.tif", [pair * 2] * 4, 4, 12)
    shades = open_picture(tmp_path / "12.tif").convert("L").crop((0, 0, 2, 1))
    assert list(shades.tobytes()) == [127, 255]  # 2047 / 4095 of 255 is 127.47
    cases = {"u16": ("H", 16, 1, 65535), "s16": ("h", 16, 2, 32767), "u32": ("I", 32, 1, 2**32 - 1)}
    for name, (code, bits, format, white) in cases.items():
        row = struct.pack(f"<4{code}", 0, white // 5, white // 5 * 2, white)
        tiff(tmp_path / f"{name}.tif", [row] * 4, 4, bits, format=format)
        image = open_picture(tmp_path / f"{name}.tif").convert("L")
        assert list(image.crop((0, 0, 4, 1)).tobytes()) == [0, 51, 102, 255]
    row = struct.pack("<4H", 0, 13107, 26214, 65535)
    tiff(tmp_path / "negative.tif", [row] * 4, 4, 16, white_is_zero=True)
    image = open_picture(tmp_path / "negative.tif").convert("L")
    assert list(image.crop((0, 0, 4, 1)).tobytes()) == [255, 204, 153, 0]


def test_numbers_below_black_are_refused(tmp_path):
    tiff(tmp_path / "deep.tif", [struct.pack("<4i", -1, 0, 1, 2)] * 4, 4, 32, format=2)
    with pytest.raises(SDGError, match=r"deep\.tif has pixel values outside 0 … 255"):
        read_picture(tmp_path / "deep.tif", 4)


def test_a_palette_is_looked_up_and_its_transparent_colour_is_white(tmp_path):
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, *RED])
    palette.save(tmp_path / "opaque.png")
    palette.save(tmp_path / "clear.png", transparency=1)
    palette.save(tmp_path / "faint.png", transparency=bytes([255, 0]))
    assert colour(tmp_path / "opaque.png") == list(RED)
    assert colour(tmp_path / "clear.png") == colour(tmp_path / "faint.png") == [255, 255, 255]


def test_only_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("RGB", (8, 8), shade) for shade in (RED, (0, 0, 0))]
    for suffix in ("gif", "png", "tif"):
        path = tmp_path / f"film.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert colour(path) == list(RED)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, orientation):
    upright = quadrants().resize((16, 32), Image.Resampling.NEAREST)
    stored = {
        2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda image: image.rotate(180),
        4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
        6: lambda image: image.rotate(90, expand=True),
        7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        8: lambda image: image.rotate(-90, expand=True),
    }.get(orientation, lambda image: image)(upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    assert picture_size(tmp_path / "turned.png") == (16, 32)
    assert open_picture(tmp_path / "turned.png").tobytes() == upright.tobytes()


def test_unreadable_exif_turns_nothing(tmp_path):
    quadrants().save(tmp_path / "odd.png", exif=b"Exif\0\0XXXX no directory in here")
    assert open_picture(tmp_path / "odd.png").tobytes() == quadrants().tobytes()


def test_values_are_bytes_over_127_5_minus_1_in_channel_order(tmp_path):
    quadrants().save(tmp_path / "picture.png")
    picture = read_picture(tmp_path / "picture.png", 16)
    assert picture.shape == (3, 16, 16)
    assert picture.dtype == torch.float32
    assert picture.is_contiguous()
    expected = torch.from_numpy(np.array(quadrants())).permute(2, 0, 1) / 127.5 - 1
    assert torch.equal(picture, expected)


def test_preparation_halves_by_box_then_resizes_bicubically_then_crops():
    noise = np.random.default_rng(0).integers(0, 256, (70, 100, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    by_hand = image.resize((50, 35), Image.Resampling.BOX).resize((29, 20), Image.Resampling.BICUBIC)
    assert adm_square(image, 20).tobytes() == by_hand.crop((4, 0, 24, 20)).tobytes()
    exact = Image.fromarray(noise[:64, :64])  # as FFHQ's 1024 px are four times 256: nothing but boxes
    boxes = exact.resize((32, 32), Image.Resampling.BOX).resize((16, 16), Image.Resampling.BOX)
    assert adm_square(exact, 16).tobytes() == boxes.tobytes()
    once = image.resize((29, 20), Image.Resampling.BOX)
    assert box_square(image, 20).tobytes() == once.crop((4, 0, 24, 20)).tobytes()


@pytest.mark.parametrize("sides", [(1, 1), (3, 2), (16, 16), (200, 31), (31, 200), (512, 512)])
def test_any_size_gives_the_square_asked_for(tmp_path, sides):
    Image.new("RGB", sides, RED).save(tmp_path / "picture.png")
    picture = read_picture(tmp_path / "picture.png", 16)
    assert picture.shape == (3, 16, 16)
    assert ((picture + 1) * 127.5).mean(dim=(1, 2)).tolist() == pytest.approx(list(RED), abs=0.01)


def test_a_mask_is_one_where_white_and_lies_on_top_of_its_picture(tmp_path):
    shape = Image.new("1", (40, 20), 0)
    shape.paste(1, (20, 0, 40, 20))
    shape.save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png", 20)
    assert mask.shape == (1, 20, 20)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(mask[0, 0], torch.tensor([0.0] * 10 + [1.0] * 10))
    Image.new("I;16", (8, 8), 65535 // 5).save(tmp_path / "deep.png")
    assert read_mask(tmp_path / "deep.png", 8).unique().tolist() == pytest.approx([0.2])


def test_a_folder_lists_its_pictures_by_path_at_any_depth(tmp_path):
    for name in ("b.png", "a.JPG", "00/z.webp", "00/inner/c.png", ".hidden.png", ".cache/d.png", "note.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    names = [path.relative_to(tmp_path).as_posix() for path in list_pictures(tmp_path)]
    assert names == ["00/inner/c.png", "00/z.webp", "a.JPG", "b.png"]
    assert list_pictures(tmp_path / "note.txt") == [tmp_path / "note.txt"]


def test_links_are_followed_and_every_folder_is_read_once(tmp_path):
    root, store = tmp_path / "set", tmp_path / "store"
    for path in (root / "a" / "1.png", store / "2.png", store / "deep" / "3.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "b").symlink_to(store)
    (root / "c").symlink_to(store)  # the same again
    (root / "0").symlink_to(root / "a")  # a name before its target's
    (root / "a" / "up").symlink_to(root)
    (store / "round").symlink_to(root / "b")
    (root / "self").symlink_to(root / "self")
    (root / "4.png").symlink_to(store / "2.png")
    names = [path.relative_to(root).as_posix() for path in list_pictures(root)]
    assert names == ["4.png", "a/1.png", "b/2.png", "b/deep/3.png"]


def test_links_that_lead_nowhere_are_told_once_with_their_number(tmp_path, capsys):
    (tmp_path / "a.png").touch()
    for name in ("b.png", "c.png", "notes.txt"):
        (tmp_path / name).symlink_to(tmp_path / "gone")
    assert list_pictures(tmp_path) == list_pictures(tmp_path) == [tmp_path / "a.png"]
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert re.match(
        r"warning: skipped: 2 links in \S+ to pictures that are not there, such as \S+b\.png$", told
    )
    (tmp_path / "a.png").unlink()
    with pytest.raises(SDGError, match=r"there is nothing but 2 links .* restore them"):
        list_pictures(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SDGError, match=r"cannot be read \(Permission denied\)"):
        list_pictures(tmp_path)


def test_a_folder_without_pictures_and_a_missing_one_are_named(tmp_path):
    (tmp_path / "note.txt").touch()
    with pytest.raises(SDGError, match="holds no pictures"):
        list_pictures(tmp_path)
    with pytest.raises(SDGError, match="nowhere is not there"):
        list_pictures(tmp_path / "nowhere")


def encoded(suffix: str, size: int = 12) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, suffix)
    return stream.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG header that promises more pixels than the file has."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "empty, damaged or no picture"),
        (b"<!DOCTYPE html><html></html>", "empty, damaged or no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "empty, damaged or no picture"),
        (encoded("PNG")[:200], "damaged picture"),
        (encoded("JPEG")[:500], "damaged picture"),
        (bomb(60000, 60000), "more pixels than can be safely opened"),
        (bomb(10000, 3), "a strip"),
    ],
)
def test_bad_files_end_in_one_line_that_names_them(tmp_path, content, complaint):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(SDGError, match=complaint) as caught:
        read_picture(path, 8)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_odd_values_are_named_too(tmp_path):
    with pytest.raises(SDGError, match=r"none\.png is not there"):
        read_picture(tmp_path / "none.png", 8)
    with pytest.raises(SDGError, match="cannot be read"):
        read_picture(tmp_path, 8)
    Image.new("F", (8, 8), 7.5).save(tmp_path / "loud.tif")
    with pytest.raises(SDGError, match="outside 0 … 1"):
        read_picture(tmp_path / "loud.tif", 8)


def test_mutated_files_give_a_picture_or_one_line(tmp_path):
    rng = random.Random(0)
    path, messages, pictures = tmp_path / "mutant", [], []
    for suffix in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"):
        original = encoded(suffix)
        for _ in range(60):
            content = bytearray(original)
            for _ in range(rng.choice((1, 2, 8))):
                content[rng.randrange(min(len(content), rng.choice((40, 10**6))))] = rng.randrange(256)
            if rng.random() < 0.3:
                del content[rng.randrange(len(content)) :]
            path.write_bytes(content)
            try:
                pictures.append(read_picture(path, 8))
            except SDGError as error:
                messages.append(str(error))
    assert min(len(pictures), len(messages)) > 40
    assert all(str(path) in message and "\n" not in message for message in messages)
    assert all(picture.shape == (3, 8, 8) and picture.abs().max() <= 1 for picture in pictures)
