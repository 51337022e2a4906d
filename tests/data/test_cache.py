"""Prepared squares equal the source, survive a kill, and notice when the disk changes them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from sdg.composition import ROOT
from sdg.data import prepare
from sdg.data.cache import CachedSquares, cache_place
from sdg.data.folder import FolderSource
from sdg.data.prepare import check_cache, write_cache
from sdg.data.squares import SourceSquares
from sdg.errors import SDGError
from sdg.locks import locked
from tests.data.pictures import Counted, make_folder, messages, picture


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prepare, "CHUNK", 3)


def same(first, second) -> bool:
    return len(first) == len(second) and all(torch.equal(first[i], second[i]) for i in range(len(first)))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core
@pytest.mark.parametrize("workers", [0, 2])
def test_a_cache_equals_its_source(tmp_path: Path, workers: int):
    squares = SourceSquares(FolderSource(make_folder(tmp_path / "set", 10)), 16)
    write_cache(squares, tmp_path / "cache", workers)
    cached = CachedSquares(tmp_path / "cache")
    assert same(cached, squares)
    assert cached[3].dtype == torch.uint8
    check_cache(cached)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["cache", "set"]


def test_an_interrupted_preparation_goes_on_where_it_stopped(tmp_path: Path):
    source = FolderSource(make_folder(tmp_path / "set", 10))
    first = Counted(source, 16)
    first.stop_at = 7
    with pytest.raises(KeyboardInterrupt):
        write_cache(first, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    second = Counted(source, 16)
    write_cache(second, tmp_path / "cache")
    assert second.prepared == 4
    assert same(CachedSquares(tmp_path / "cache"), SourceSquares(source, 16))


@pytest.mark.parametrize(
    "spoil, kept",
    [
        (lambda part: os.truncate(part / "squares.u1", 4 * 768 + 100), 4),
        (lambda part: os.truncate(part / "crc32.u4", 4 * 5 + 2), 5),
        (lambda part: (part / "squares.u1").write_bytes(bytes(6 * 768)), 0),
        (lambda part: (part / "damaged.jsonl").write_text('{"index": 6, "mess'), 6),
    ],
)
def test_what_a_kill_left_half_written_is_prepared_again(tmp_path: Path, spoil, kept: int):
    source = FolderSource(make_folder(tmp_path / "set", 10))
    first = Counted(source, 16)
    first.stop_at = 7
    with pytest.raises(KeyboardInterrupt):
        write_cache(first, tmp_path / "cache")
    spoil(tmp_path / "cache.part")
    second = Counted(source, 16)
    write_cache(second, tmp_path / "cache")
    assert second.prepared == 10 - kept
    assert same(CachedSquares(tmp_path / "cache"), SourceSquares(source, 16))


def test_a_killed_process_leaves_work_that_another_ends(tmp_path: Path):
    make_folder(tmp_path / "set", 10)
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from sdg.data import prepare\n"
        "from sdg.data.folder import FolderSource\n"
        "from sdg.data.squares import SourceSquares\n"
        "class Slow(SourceSquares):\n"
        "    def __getitem__(self, index):\n"
        "        if index == 6: time.sleep(100)\n"
        "        return super().__getitem__(index)\n"
        "prepare.CHUNK = 3\n"
        "folder = Path(sys.argv[1])\n"
        "prepare.write_cache(Slow(FolderSource(folder / 'set'), 16), folder / 'cache')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    checksums, deadline = tmp_path / "cache.part" / "crc32.u4", time.monotonic() + 120
    while not (checksums.exists() and checksums.stat().st_size == 6 * 4) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    squares = Counted(FolderSource(tmp_path / "set"), 16)
    write_cache(squares, tmp_path / "cache")
    assert squares.prepared == 4
    assert same(CachedSquares(tmp_path / "cache"), squares)


def test_damage_ends_the_preparation_or_is_kept_for_the_readers(tmp_path: Path, capsys):
    squares = SourceSquares(FolderSource(make_folder(tmp_path / "set", 10, damaged=(4, 8))), 16)
    with pytest.raises(SDGError, match=r"00004\.png is empty, damaged or no picture.*on_corrupt=skip"):
        write_cache(squares, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    write_cache(squares, tmp_path / "cache", on_corrupt="skip")
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["warning:", "skipped:"]
    ] * 2
    cached = CachedSquares(tmp_path / "cache")
    assert messages(cached, range(10)) == messages(squares, range(10))
    assert torch.equal(cached[5], squares[5])
    check_cache(cached)


def test_nothing_but_damage_is_no_data_set(tmp_path: Path):
    squares = SourceSquares(FolderSource(make_folder(tmp_path / "set", 4, damaged=(0, 1, 2, 3))), 16)
    for _ in range(2):
        with pytest.raises(SDGError, match=r"none of the 4 pictures can be used: .*00000\.png"):
            write_cache(squares, tmp_path / "cache", on_corrupt="skip")
    assert not (tmp_path / "cache").exists()


def test_a_changed_byte_is_noticed_when_it_is_read(tmp_path: Path):
    write_cache(SourceSquares(FolderSource(make_folder(tmp_path / "set", 4)), 16), tmp_path / "cache")
    pixels = tmp_path / "cache" / "squares.u1"
    content = bytearray(pixels.read_bytes())
    content[2 * 768 + 5] ^= 1
    pixels.write_bytes(content)
    cached = CachedSquares(tmp_path / "cache")
    _ = cached[1]
    with pytest.raises(SDGError, match=r"picture 2 of the cache .* has changed on the disk"):
        _ = cached[2]
    with pytest.raises(SDGError, match="picture 2"):
        check_cache(cached)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: os.truncate(folder / "squares.u1", 100),
        lambda folder: os.truncate(folder / "crc32.u4", 4),
        lambda folder: (folder / "settings.json").write_text("{"),
        lambda folder: (folder / "damaged.jsonl").unlink(),
    ],
)
def test_a_cache_that_is_not_whole_is_refused(tmp_path: Path, spoil):
    write_cache(SourceSquares(FolderSource(make_folder(tmp_path / "set", 3)), 16), tmp_path / "cache")
    spoil(tmp_path / "cache")
    with pytest.raises(SDGError, match=r"cache .* is not whole: remove it"):
        CachedSquares(tmp_path / "cache")


def test_other_pictures_or_another_preparation_have_another_cache(tmp_path: Path):
    folder = make_folder(tmp_path / "set", 3)
    shutil.copytree(folder, tmp_path / "moved")

    def place(root: Path = folder, size: int = 16, preparation: str = "adm") -> Path:
        return cache_place(SourceSquares(FolderSource(root), size, preparation), tmp_path, "set")

    assert place() == place(tmp_path / "moved")
    others = {place(size=12), place(preparation="box")}
    before = place()
    (folder / "00000" / "00001.png").write_bytes(picture(7, (40, 40)))
    assert len({before, place(), *others}) == 4


def test_two_preparations_of_one_cache_do_not_mix(tmp_path: Path):
    squares = SourceSquares(FolderSource(make_folder(tmp_path / "set", 3)), 16)
    with (
        locked(tmp_path / "cache.lock", "it", "wait"),
        pytest.raises(
            SDGError, match=r"cache\.part is in use by process \d+ on .* choose another data\.cache"
        ),
    ):
        write_cache(squares, tmp_path / "cache")
    write_cache(squares, tmp_path / "cache")
    assert json.loads((tmp_path / "cache" / "settings.json").read_text())["count"] == 3


def test_a_disk_without_room_is_noticed_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    squares = Counted(FolderSource(make_folder(tmp_path / "set", 3)), 16)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 768 - 1))
    with pytest.raises(SDGError, match=r"its disk has 0\.0 GB left"):
        write_cache(squares, tmp_path / "cache")
    assert squares.prepared == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 768))
    write_cache(squares, tmp_path / "cache")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path):
    squares = SourceSquares(FolderSource(make_folder(tmp_path / "set", 3)), 16)
    (tmp_path / "file").touch()
    with pytest.raises(SDGError, match=r"cannot write .*choose another data\.cache"):
        write_cache(squares, tmp_path / "file" / "cache")
