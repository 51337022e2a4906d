"""Pictures that look alike are on one side of the split, whatever they are called."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdg.data import likeness
from sdg.data.file_data import FileData
from sdg.data.folder import FolderSource
from sdg.data.likeness import places
from sdg.errors import SDGError


def scene(index: int) -> Image.Image:
    """A smooth picture; another index, another picture."""
    coarse = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((40, 40), Image.Resampling.BICUBIC)


def saved(image: Image.Image, path: Path, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    image.save(stream, path.suffix[1:].replace("jpg", "jpeg"), **options)
    path.write_bytes(stream.getvalue())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty scenes; the first ten also as JPEG, brighter, larger, and shifted by half a pixel."""
    root = tmp_path / "set"
    for i in range(40):
        saved(scene(i), root / f"{i:02d}.png")
    for i in range(10):
        brighter = Image.eval(scene(i), lambda v: min(255, v + 10))
        saved(scene(i), root / "b" / f"x{i}.jpg", quality=80)
        saved(brighter, root / f"y{i}.png")
        saved(scene(i).resize((80, 80), Image.Resampling.BICUBIC), root / f"z{i}.png")
    return root


def test_near_duplicates_share_their_place_and_others_spread(folder: Path, tmp_path: Path):
    source = FolderSource(folder)
    found = dict(zip(map(source.path_inside, range(len(source))), places(source, tmp_path), strict=True))
    for i in range(10):
        assert len({found[name] for name in (f"{i:02d}.png", f"b/x{i}.jpg", f"y{i}.png", f"z{i}.png")}) == 1
    alone = np.array([found[f"{i:02d}.png"] for i in range(40)])
    assert len(set(alone)) == 40
    assert alone.min() >= 0
    assert alone.max() < 1
    assert 0.25 < alone.mean() < 0.75


def test_the_split_depends_on_the_pictures_alone(folder: Path, tmp_path: Path, monkeypatch):
    before = places(FolderSource(folder), tmp_path / "a")
    monkeypatch.setattr(likeness, "_ROWS", 7)
    assert np.array_equal(places(FolderSource(folder), tmp_path / "b"), before)
    saved(scene(77), folder / "77.png")  # another picture moves none
    for path in folder.glob("[0-3]?.png"):  # nor do other names and another order
        path.rename(path.with_name(f"{99 - int(path.stem)}_.png"))
    source = FolderSource(folder)
    after = dict(
        zip(map(source.path_inside, range(len(source))), places(source, tmp_path / "a"), strict=True)
    )
    for i in range(12, 22):
        assert after[f"{99 - i}_.png"] == before[i]


def test_places_are_found_once_and_damage_is_alone(folder: Path, tmp_path: Path, monkeypatch):
    (folder / "90.png").write_bytes(b"no picture")
    (folder / "91.png").write_bytes(b"no picture either")
    source = FolderSource(folder)
    first = places(source, tmp_path)
    names = [source.path_inside(i) for i in range(len(source))]
    assert all((first == first[names.index(name)]).sum() == 1 for name in ("90.png", "91.png"))
    monkeypatch.setattr(likeness, "_thumbnails", None)
    assert np.array_equal(places(FolderSource(folder), tmp_path), first)


def test_a_training_does_not_validate_on_what_it_has_seen(folder: Path, tmp_path: Path):
    data = FileData(str(folder), size=16, validation_share=0.3, workers=0, cache=str(tmp_path / "cache"))
    data.setup("fit")
    training, validation = (data.sets[use].places for use in ("train on", "validate on"))
    assert sorted([*training, *validation]) == list(range(70))
    assert 5 < len(validation) < 40
    names = [data.source.source.path_inside(place) for place in validation]
    for i in range(10):
        assert sum(name in names for name in (f"{i:02d}.png", f"b/x{i}.jpg", f"y{i}.png", f"z{i}.png")) in (
            0,
            4,
        )


def test_what_cannot_be_compared_or_split_is_told(folder: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(SDGError, match=r"cannot write .*choose another data\.cache"):
        places(FolderSource(folder), tmp_path / "file")
    monkeypatch.setattr(likeness, "MOST", 69)
    with pytest.raises(SDGError, match=r"comparing 70 pictures .*data\.train_count=N"):
        places(FolderSource(folder), tmp_path)
    with pytest.raises(SDGError, match="comparing 70 pictures"):  # before a run has written anything
        FileData(str(folder), validation_share=0.1, cache=str(tmp_path))
    for settings, complaint in (
        ({"validation_share": 1}, r"validation_share=1 makes no sense"),
        ({"validation_share": 0.1, "train_count": 3}, "both split the pictures"),
    ):
        with pytest.raises(SDGError, match=complaint):
            FileData(str(folder), **settings)
