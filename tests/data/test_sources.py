"""Folder, zip and LMDB are three ways to keep the same pictures."""

import io
import pickle
import random
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sdg.data.archive import ZipSource
from sdg.data.folder import FolderSource
from sdg.data.locate import find_source
from sdg.data.lsun import LMDBSource
from sdg.data.picture import read_picture
from sdg.data.squares import SourceSquares
from sdg.errors import SDGError
from tests.data.pictures import make_folder, make_lmdb, make_sized_lmdb, make_zip, messages, picture


def squares(source, size: int = 16) -> torch.Tensor:
    prepared = SourceSquares(source, size)
    return torch.stack([prepared[index] for index in range(len(prepared))])


def test_a_folder_gives_what_read_picture_gives_in_the_order_of_names(tmp_path: Path):
    source = FolderSource(make_folder(tmp_path, 6))
    assert [Path(source.name(index)).name for index in range(6)] == [f"{index:05d}.png" for index in range(6)]
    expected = torch.stack([read_picture(source.paths[index], 16) for index in range(6)])
    assert torch.equal(squares(source).float() / 127.5 - 1, expected)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_gives_the_same_as_the_folder(tmp_path: Path, compression: int):
    source = ZipSource(make_zip(tmp_path / "set.zip", 6, compression))
    assert torch.equal(squares(source), squares(FolderSource(make_folder(tmp_path / "set", 6))))


def test_an_lmdb_gives_the_same_as_the_folder_and_is_left_as_it_was(tmp_path: Path):
    root = make_lmdb(tmp_path / "bedroom_train_lmdb", 6)
    (root / "lock.mdb").unlink()
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted(root.iterdir())]
    first = LMDBSource(root, tmp_path / "cache")
    by_key = [0, *reversed(range(1, 6))]  # "key" is sorted after "aaa…key"
    folder = squares(FolderSource(make_folder(tmp_path / "set", 6)))
    assert torch.equal(squares(first), folder[by_key[1:] + by_key[:1]])
    assert torch.equal(squares(LMDBSource(root, tmp_path / "cache")), squares(first))
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(root.iterdir())] == before
    assert first.fingerprint() != LMDBSource(make_lmdb(tmp_path / "other", 5), tmp_path).fingerprint()


def test_without_the_package_an_lmdb_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "data.mdb").touch()
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(SDGError, match=r"needs lmdb.*pip install -e '\.\[lsun\]'"):
        find_source(tmp_path, tmp_path)


@pytest.mark.parametrize("length", [0, 10, 5000, 20000])
def test_a_truncated_lmdb_is_refused_before_it_is_touched(tmp_path: Path, length: int):
    root = make_lmdb(tmp_path / "set", 12)
    data = root / "data.mdb"
    data.write_bytes(data.read_bytes()[:length])
    with pytest.raises(SDGError, match="no whole LMDB"):
        LMDBSource(root, tmp_path / "cache")


def test_an_lmdb_without_entries_is_refused(tmp_path: Path):
    with pytest.raises(SDGError, match="LMDB without pictures"):
        LMDBSource(make_lmdb(tmp_path / "set", 0), tmp_path / "cache")


def test_a_place_for_the_keys_that_cannot_be_written_to_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(SDGError, match=r"cannot write .*choose another data\.cache"):
        LMDBSource(make_lmdb(tmp_path / "set", 2), tmp_path / "file")


def test_workers_open_the_archive_for_themselves(tmp_path: Path):
    source = ZipSource(make_zip(tmp_path / "set.zip", 4))
    copy = pickle.loads(pickle.dumps(source))
    assert copy.read(2) == source.read(2) == picture(2)


def test_a_changed_picture_changes_the_fingerprint(tmp_path: Path):
    folder, archive = make_folder(tmp_path / "set", 4), make_zip(tmp_path / "set.zip", 4)
    before = FolderSource(folder).fingerprint(), ZipSource(archive).fingerprint()
    assert before == (FolderSource(folder).fingerprint(), ZipSource(archive).fingerprint())
    (folder / "00000" / "00002.png").write_bytes(picture(9, (25, 20)))
    make_zip(archive, 5)
    assert FolderSource(folder).fingerprint() != before[0]
    assert ZipSource(archive).fingerprint() != before[1]


def test_the_path_decides_the_reader(tmp_path: Path):
    make_folder(tmp_path / "ffhq" / "images1024x1024", 3)
    make_folder(tmp_path / "ffhq" / "thumbnails128x128", 3)
    make_zip(tmp_path / "set.zip", 3)
    assert len(find_source(tmp_path / "ffhq", tmp_path, ["images1024x1024"])) == 3
    assert len(find_source(tmp_path / "ffhq", tmp_path)) == 6
    assert isinstance(find_source(tmp_path / "set.zip", tmp_path), ZipSource)


def test_an_lmdb_is_found_by_the_folder_that_holds_it(tmp_path: Path):
    (tmp_path / "cat_train_lmdb").mkdir()
    root = make_lmdb(tmp_path / "cat_train_lmdb", 2)
    for place in (tmp_path, root, root / "data.mdb"):
        assert isinstance(find_source(place, tmp_path, ["cat_train_lmdb"]), LMDBSource)


@pytest.mark.parametrize("top", ["", "ffhq-dataset/"])
def test_a_zip_of_a_layout_is_read_as_its_folder_is(tmp_path: Path, top: str):
    path = tmp_path / "ffhq.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("images1024x1024", "thumbnails128x128"):
            for index in range(3):
                archive.writestr(f"{top}{name}/00000/{index:05d}.png", picture(index))
        archive.writestr(f"{top}images1024x1024/.trash/00009.png", picture(9))
        archive.writestr("__MACOSX/images1024x1024/00000.png", b"a resource fork")
        archive.writestr(f"{top}LICENSE.txt", "free")
    source = find_source(path, tmp_path, ["in-the-wild-images", "images1024x1024"])
    assert [source.read(index) for index in range(len(source))] == [picture(index) for index in range(3)]
    assert "images1024x1024/00000/00002.png" in source.name(2)
    assert len(find_source(path, tmp_path)) == 6


def test_of_two_members_with_one_name_the_last_counts(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.png", picture(0))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", picture(1))
    source = ZipSource(tmp_path / "set.zip")
    assert [source.read(index) for index in range(len(source))] == [picture(1)]


def test_an_lmdb_of_several_sizes_gives_the_smallest_that_is_large_enough(tmp_path: Path):
    root = make_sized_lmdb(tmp_path / "set", 5, (8, 16, 128))
    for size, side in ((4, 8), (8, 8), (9, 16), (128, 128), (256, 128), (None, 128)):
        source = find_source(root, tmp_path / "cache", size=size)
        expected = [picture(index, (side, side)) for index in range(5)]
        assert [source.read(index) for index in range(len(source))] == expected
    fingerprints = {find_source(root, tmp_path / "cache", size=size).fingerprint() for size in (4, 9, 99)}
    assert len(fingerprints) == 3


def test_the_hundred_thousandth_picture_of_a_size_is_the_last(tmp_path: Path):
    lmdb = pytest.importorskip("lmdb", reason="there is no lmdb: '.[dev]' brings it")
    with lmdb.open(str(tmp_path / "set"), map_size=2**24) as database, database.begin(write=True) as writing:
        for number in (10000, 100000, 99999):
            writing.put(f"8-{number:05d}".encode(), str(number).encode())
        writing.put(b"length", b"3")
    source = LMDBSource(tmp_path / "set", tmp_path / "cache")
    assert [source.read(index) for index in range(3)] == [b"10000", b"99999", b"100000"]


@pytest.mark.parametrize("name", ["faces.lmdb", "train.mdb", "faces"])
def test_a_database_in_a_single_file_is_read(tmp_path: Path, name: str):
    path = make_sized_lmdb(tmp_path / name, 4, (16,), subdir=False)
    source = find_source(path, tmp_path / "cache")
    assert [source.read(index) for index in range(len(source))] == [picture(i, (16, 16)) for i in range(4)]
    content = path.read_bytes()
    (tmp_path / "short.mdb").write_bytes(content[: len(content) // 2])
    with pytest.raises(SDGError, match=r"short\.mdb is no whole LMDB"):
        find_source(tmp_path / "short.mdb", tmp_path / "cache")


def test_an_archive_whose_names_are_not_what_it_says_is_refused(tmp_path: Path):
    content = bytearray(make_zip(tmp_path / "set.zip", 1).read_bytes())
    start = content.rindex(b"PK\x01\x02", 0, content.rindex(b"00000.png"))
    content[start + 8 : start + 10] = b"\x00\x08"  # "this name is UTF-8"
    content[start + 46] = 0xE4
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(SDGError, match="no whole zip archive"):
        ZipSource(tmp_path / "set.zip")


@pytest.mark.parametrize(
    "name, content, complaint",
    [
        ("none", None, "none is not there"),
        ("set.zip", b"PK\x03\x04 but no more", "no whole zip archive"),
        ("set.zip", b"", "no whole zip archive"),
        ("set.tar", b"ustar", "no zip archive"),
        ("one.png", b"", "a single picture"),
    ],
)
def test_what_is_no_data_set_is_named(tmp_path: Path, name: str, content: bytes | None, complaint: str):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SDGError, match=complaint):
        find_source(tmp_path / name, tmp_path)


def test_an_empty_path_is_not_the_folder_one_is_in(tmp_path: Path):
    with pytest.raises(SDGError, match=r"data\.root is empty"):
        find_source("", tmp_path)


def test_archives_without_pictures_say_what_they_hold(tmp_path: Path):
    for name, complaint in (("readme.txt", "no pictures"), ("cat_train_lmdb/data.mdb", "an LMDB: unpack it")):
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            archive.writestr(name, "text")
        with pytest.raises(SDGError, match=complaint):
            ZipSource(tmp_path / "set.zip")


def test_a_member_that_promises_gigabytes_or_lies_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = make_zip(tmp_path / "set.zip", 2)
    content = path.read_bytes()
    start = content.index(picture(0)) + 60
    path.write_bytes(content[:start] + b"other bytes" + content[start + 11 :])
    source = ZipSource(path)
    with pytest.raises(SDGError, match=r"00000/00000\.png cannot be unpacked"):
        source.read(0)
    assert source.read(1) == picture(1)
    monkeypatch.setattr("sdg.data.archive.LARGEST", 100)
    with pytest.raises(SDGError, match="unpacks to"):
        source.read(1)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_mutated_archives_give_pictures_or_one_line(tmp_path: Path, compression: int):
    path, rng, pictures, complaints = tmp_path / "set.zip", random.Random(0), 0, []
    original = make_zip(path, 3, compression).read_bytes()
    directory = original.index(b"PK\x01\x02")
    for _ in range(100):
        content = bytearray(original)
        for _ in range(rng.choice((1, 3, 10))):
            content[rng.randrange(rng.choice((0, directory)), len(content))] = rng.randrange(256)
        if rng.random() < 0.15:
            del content[rng.randrange(len(content)) :]
        path.write_bytes(content)
        try:
            prepared = SourceSquares(ZipSource(path), 16)
        except SDGError as error:
            complaints.append(str(error))
        else:
            complaints += messages(prepared, range(len(prepared)))
            pictures += len(prepared)
    assert len(complaints) > 50
    assert pictures > 50
    assert all(str(path) in complaint and "\n" not in complaint for complaint in complaints)


def test_small_pictures_are_not_enlarged_unless_asked(tmp_path: Path):
    source = FolderSource(make_folder(tmp_path, 1))
    with pytest.raises(SDGError, match=r"00000\.png is 24 x 20 pixels, smaller than data\.size=32"):
        SourceSquares(source, 32)[0]
    assert SourceSquares(source, 32, enlarge=True)[0].shape == (3, 32, 32)


def test_the_preparation_is_chosen_by_name(tmp_path: Path):
    source = FolderSource(make_folder(tmp_path, 1))
    image = Image.open(io.BytesIO(picture(0))).resize((14, 12), Image.Resampling.BOX).crop((1, 0, 13, 12))
    assert np.array_equal(SourceSquares(source, 12, "box")[0].permute(1, 2, 0), np.array(image))
    with pytest.raises(SDGError, match=r"preparation=nearest is unknown: use adm or box"):
        SourceSquares(source, 12, "nearest")
