import os
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from sdg.data.toyfaces import SPLITS, faces
from sdg.errors import SDGError
from sdg.metrics.pictures import FolderPictures, Pictures, Squares, open_reference, open_samples
from tests.metrics.examples import record, write_run


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (4, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def whole(pictures: Pictures) -> Tensor:
    return torch.cat(list(pictures.batches(range(len(pictures)), 2)))


def test_a_run_comes_with_its_records_in_their_order(tmp_path: Path) -> None:
    image = torch.arange(3, dtype=torch.uint8).repeat_interleave(48).view(3, 3, 4, 4)
    run = write_run(tmp_path / "run", [(record("a", i), image[i]) for i in range(3)])
    (run / "grid.png").write_bytes(b"not a sample")
    samples = open_samples(run)
    assert [each["index"] for each in samples.records] == [0, 1, 2]
    assert torch.equal(whole(samples), image)
    assert torch.equal(torch.cat(list(samples.batches([2, 0], 1))), image[[2, 0]])


def test_any_folder_of_pictures_will_do(tmp_path: Path) -> None:
    paint(tmp_path / "b" / "2.jpg", (200, 200, 200))
    paint(tmp_path / "a.png", (10, 20, 30))
    (tmp_path / "notes.txt").write_text("not a picture")
    samples = open_samples(tmp_path)
    assert (len(samples), samples.records, samples.size) == (2, (), (4, 4))
    assert whole(samples)[0, :, 0, 0].tolist() == [10, 20, 30]


def test_refuses_what_is_not_one_finished_folder(tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="is not there"):
        open_samples(tmp_path / "nowhere")
    with pytest.raises(SDGError, match="holds no pictures"):
        open_samples(tmp_path)
    paint(tmp_path / "plain" / "0.png", (0, 0, 0))
    (tmp_path / "plain" / "1.png.part").write_bytes(b"")
    with pytest.raises(SDGError, match=r"still being written \(1.png.part\)"):
        open_samples(tmp_path / "plain")
    write_run(tmp_path / "runs" / "one", [(record("a", 0), torch.zeros(3, 4, 4, dtype=torch.uint8))])
    with pytest.raises(SDGError, match=r"holds runs of sample.py: give one of them, such as .*one"):
        open_samples(tmp_path / "runs")


def test_a_reference_has_the_samples_size_or_is_cut_to_it(tmp_path: Path) -> None:
    paint(tmp_path / "0.png", (90, 90, 90), size=(40, 24))
    with pytest.raises(SDGError, match="pictures are 40x24 and the samples 16x16: give preparation=adm"):
        open_reference(tmp_path, (16, 16))
    with pytest.raises(SDGError, match="nowhere is not there: give the folder of the reference's pictures"):
        open_reference(tmp_path / "nowhere", (16, 16), "adm")
    with pytest.raises(SDGError, match="preparation=lanczos is unknown: use adm or box"):
        open_reference(tmp_path, (16, 16), "lanczos")
    grey = torch.full((1, 3, 16, 16), 90, dtype=torch.uint8)
    assert torch.equal(whole(open_reference(tmp_path, (16, 16), "adm")), grey)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "0.png", "0.png")
    archived = open_reference(tmp_path / "set.zip", (16, 16), "box")
    assert torch.equal(whole(archived), grey)
    assert archived.digest == open_reference(tmp_path, (16, 16), "box").digest
    with pytest.raises(SDGError, match=r"0.png is 40x24 and cannot be cut to 32x32: leave it out"):
        whole(open_reference(tmp_path, (32, 32), "adm"))


def test_squares_are_others_when_they_are_cut_otherwise(tmp_path: Path) -> None:
    """Their digest, by which features are kept, holds how they were prepared, their side, and every file."""
    paint(tmp_path / "a" / "0.png", (90, 90, 90), size=(40, 40))
    paint(tmp_path / "b" / "0.png", (90, 90, 91), size=(40, 40))
    digests = [
        open_reference(tmp_path / folder, (side, side), preparation).digest
        for folder, side, preparation in (
            ("a", 16, "adm"),
            ("a", 16, "box"),
            ("a", 8, "adm"),
            ("b", 16, "adm"),
        )
    ]
    assert len(set(digests)) == 4
    assert open_reference(tmp_path / "a", (16, 16), "adm").digest == digests[0]


def test_renders_are_unseen_faces() -> None:
    reference = open_reference("toyfaces:3", (16, 16))
    images, _ = faces(0, torch.arange(3) + SPLITS["test"].start, 16)
    assert torch.equal(whole(reference), ((images + 1) * 127.5).round().to(torch.uint8))
    assert reference.digest == open_reference("toyfaces:3", (16, 16)).digest
    later = open_reference("toyfaces:1-3", (16, 16))
    assert len(later) == 2
    (every,), (last,) = reference.batches(range(3), 3), later.batches(range(2), 2)
    assert torch.equal(last, every[1:])
    assert reference.digest != open_reference("toyfaces:4", (16, 16)).digest
    with pytest.raises(SDGError, match="the samples are 16x8: only squares"):
        open_reference("toyfaces:3", (16, 8))
    for name, problem in (
        ("many", "names no number"),
        ("0", "none from 0 to 0"),
        ("100001", "none from 0 to 100001"),
        ("9-7", "9 to 7"),
    ):
        with pytest.raises(SDGError, match=problem):
            open_reference(f"toyfaces:{name}", (16, 16))


def test_pictures_that_samples_aim_at_are_left_out(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    reference = open_reference(tmp_path, (8, 8))
    assert isinstance(reference, FolderPictures)
    (left,) = reference.without([tmp_path / "sub" / ".." / "1.png", "elsewhere.png"]).batches(range(2), 2)
    assert left[:, 0, 0, 0].tolist() == [0, 2]
    with pytest.raises(SDGError, match="are what samples aim at: give another reference"):
        reference.without([tmp_path / f"{number}.png" for number in range(3)])
    squares = open_reference(tmp_path, (8, 8), "adm")
    assert isinstance(squares, Squares)
    fewer = squares.without([tmp_path / "1.png"])
    assert whole(fewer)[:, 0, 0, 0].tolist() == [0, 2]
    assert len({squares.digest, fewer.digest, squares.without(["elsewhere.png"]).digest}) == 2
    assert fewer.stamp != squares.stamp


def test_a_stamp_changes_with_the_files(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "0.png")
    before = open_samples(tmp_path).stamp
    assert open_samples(tmp_path).stamp == before
    squares = open_reference(tmp_path, (8, 8), "adm").stamp
    assert open_reference(tmp_path, (8, 8), "adm").stamp == squares
    assert len({before, squares, open_reference(tmp_path, (4, 4), "adm").stamp}) == 3
    os.utime(tmp_path / "0.png", (1, 1))
    assert open_samples(tmp_path).stamp != before
    assert open_reference(tmp_path, (8, 8), "adm").stamp != squares


def test_the_digest_is_of_what_the_pictures_look_like(tmp_path: Path) -> None:
    for folder in ("one", "copy", "other", "swapped"):
        paint(tmp_path / folder / "0.png", (1, 1, 1))
        paint(tmp_path / folder / "1.png", (2, 2, 2 + (folder == "other")))
    paint(tmp_path / "swapped" / "0.png", (2, 2, 2))
    paint(tmp_path / "swapped" / "1.png", (1, 1, 1))
    one, copy, other, swapped = (
        open_samples(tmp_path / name).digest for name in ("one", "copy", "other", "swapped")
    )
    assert one == copy
    assert len({one, other, swapped, open_reference(tmp_path / "one", (2, 2), "adm").digest}) == 4
