"""Files as training data: the order, the mirroring and the split are functions of the settings alone."""

import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.plugins.precision import HalfPrecision, Precision

from sdg.data.cache import CachedSquares
from sdg.data.file_data import FileData
from sdg.data.steps import StepSampler
from sdg.data.toyfaces import faces
from sdg.data.toyfaces.data import ToyFaces, ToyFacesData
from sdg.errors import SDGError
from tests.data.pictures import make_folder, make_lmdb, make_zip


def data(root: Path, step: int = 0, steps: int = 4, rank: int = 0, ranks: int = 1, **settings) -> FileData:
    """A data module as a trainer would hold it after ``step`` of ``steps``."""
    defaults = {"size": 16, "batch_size": 4, "workers": 0, "cache": str(root.parent / "cache")}
    module = FileData(str(root), **defaults | settings)
    module.trainer = SimpleNamespace(
        max_steps=steps,
        global_step=step,
        accumulate_grad_batches=1,
        world_size=ranks,
        global_rank=rank,
        is_global_zero=rank == 0,
        precision_plugin=Precision(),
    )
    module.setup("fit")
    return module


def batches(module: FileData, loader: str = "train_dataloader") -> list[dict]:
    """All batches, as they reach the training."""
    before, after = module.on_before_batch_transfer, module.on_after_batch_transfer
    return [after(before(batch, 0), 0) for batch in getattr(module, loader)()]


def test_a_batch_holds_the_pictures_its_indices_name(tmp_path: Path):
    module = data(make_folder(tmp_path / "set", 10))
    squares = module.source
    order = list(StepSampler(10, 4, 4))
    for batch, (step, indices) in zip(batches(module), order, strict=True):
        assert batch["step"] == step
        assert batch["index"].tolist() == indices
        assert batch["image"].dtype == torch.float32
        for image, index, flipped in zip(batch["image"], indices, batch["flipped"], strict=True):
            expected = squares[index].float() / 127.5 - 1
            assert torch.equal(image.flip(-1) if flipped else image, expected)


def test_pictures_stay_bytes_until_they_are_on_the_device(tmp_path: Path):
    module = data(make_folder(tmp_path / "set", 10), workers=1)
    batch = next(iter(module.train_dataloader()))
    assert batch["image"].dtype == torch.uint8
    for plugin, dtype in ((Precision(), torch.float32), (HalfPrecision("bf16-true"), torch.bfloat16)):
        module.trainer.precision_plugin = plugin
        image = module.on_after_batch_transfer(batch, 0)["image"]
        assert image.dtype == dtype
        assert torch.equal(image, (batch["image"] / 127.5 - 1).to(dtype))


def test_toy_faces_stay_bytes_too():
    batch = ToyFaces("train", 4, 32)[0, [1, 2]]
    assert batch["image"].dtype == torch.uint8
    module = ToyFacesData(size=32)
    module.trainer = SimpleNamespace(precision_plugin=Precision())
    expected, _ = faces(0, torch.tensor([1, 2]), 32)
    image = module.on_after_batch_transfer(batch, 0)["image"]
    torch.testing.assert_close(image, expected, rtol=0, atol=1 / 255 + 1e-6)


def test_folder_zip_lmdb_and_cache_train_alike(tmp_path: Path):
    folder, archive = make_folder(tmp_path / "set", 10), make_zip(tmp_path / "set.zip", 10)
    expected = batches(data(folder))
    module = data(folder)
    module.write_cache()
    assert module.cache.parent == tmp_path / "cache" / "squares"
    cached = data(folder)
    assert isinstance(cached.squares, CachedSquares)
    for other in (data(archive), cached, data(archive, workers=2)):
        for batch, reference in zip(batches(other), expected, strict=True):
            assert torch.equal(batch["image"], reference["image"])
            assert torch.equal(batch["flipped"], reference["flipped"])


def test_workers_read_an_lmdb_that_the_main_process_has_read(tmp_path: Path):
    module = data(make_lmdb(tmp_path / "set", 10))
    expected = batches(module)
    for batch, reference in zip(batches(data(tmp_path / "set", workers=2)), expected, strict=True):
        assert torch.equal(batch["image"], reference["image"])


def test_a_resumed_training_sees_what_an_undisturbed_one_would(tmp_path: Path):
    folder = make_folder(tmp_path / "set", 10)
    rest = batches(data(folder, step=2))
    for batch, reference in zip(rest, batches(data(folder))[2:], strict=True):
        assert torch.equal(batch["image"], reference["image"])
        assert batch["step"] == reference["step"]


def test_half_of_the_training_pictures_are_mirrored_and_none_that_validate(tmp_path: Path):
    module = data(make_folder(tmp_path / "set", 10), steps=50, train_count=8)
    flipped = torch.cat([batch["flipped"] for batch in batches(module)]).float()
    assert 0.35 < flipped.mean() < 0.65
    assert not torch.cat([batch["flipped"] for batch in batches(module, "val_dataloader")]).any()
    upright = data(tmp_path / "set", flip=False)
    assert not torch.cat([batch["flipped"] for batch in batches(upright)]).any()


def test_the_first_pictures_train_and_the_others_validate(tmp_path: Path):
    module = data(make_folder(tmp_path / "set", 10), train_count=7, batch_size=2)
    trained = torch.cat([batch["index"] for batch in batches(module)])
    validated = torch.cat([batch["index"] for batch in batches(module, "val_dataloader")])
    assert set(trained.tolist()) == set(range(7))
    assert validated.tolist() == [7, 8, 9]


def test_a_small_set_trains_on_all_it_has(tmp_path: Path):
    module = data(make_folder(tmp_path / "set", 6), train_count=69000)
    assert len(module.sets["train on"]) == 6
    with warnings.catch_warnings():
        assert module.val_dataloader() == []


def test_devices_share_every_batch_without_overlap_or_padding_and_validate_alike(tmp_path: Path):
    folder = make_folder(tmp_path / "set", 11)
    settings = {"train_count": 4, "batch_size": 4}
    whole = batches(data(folder, **settings))
    parts = [batches(data(folder, rank=rank, ranks=2, **settings)) for rank in range(2)]
    for batch, *shards in zip(whole, *parts, strict=True):
        for rank, shard in enumerate(shards):
            assert torch.equal(shard["index"], batch["index"][rank::2])
            assert torch.equal(shard["image"], batch["image"][rank::2])
    validated = batches(data(folder, **settings), "val_dataloader")
    for rank in range(2):
        own = batches(data(folder, rank=rank, ranks=2, **settings), "val_dataloader")
        assert [batch["index"].tolist() for batch in own] == [b["index"].tolist() for b in validated]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_is_named_once_and_the_next_one_stands_in(tmp_path: Path, capsys, workers: int):
    folder = make_folder(tmp_path / "set", 8, damaged=(2, 7))
    module = data(folder, on_corrupt="skip", workers=workers, flip=False)
    seen = [
        (batch["index"].tolist(), indices)
        for batch, (_, indices) in zip(batches(module), StepSampler(8, 4, 4), strict=True)
    ]
    assert all(got == [{2: 3, 7: 0}.get(index, index) for index in asked] for got, asked in seen)
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert len(warnings) == 2
    assert sum("00002.png" in line for line in warnings) == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_ends_the_run_in_one_line_if_it_should(tmp_path: Path, workers: int):
    module = data(make_folder(tmp_path / "set", 8, damaged=(2,)), workers=workers)
    with pytest.raises(SDGError, match=r"00002\.png .*on_corrupt=skip") as caught:
        batches(module)
    assert "\n" not in str(caught.value)
    traceback.clear_frames(caught.tb)  # else workers wait for garbage collection, and then for a timeout


def test_a_set_without_one_good_picture_ends_the_run_however_lenient(tmp_path: Path):
    module = data(make_folder(tmp_path / "set", 3, damaged=(0, 1, 2)), on_corrupt="skip")
    with pytest.raises(SDGError, match="64 pictures in a row cannot be read"):
        batches(module)


@pytest.mark.parametrize(
    "settings, complaint",
    [
        ({"root": None}, r"data\.root is not set: say where faces is"),
        ({"size": 0}, r"data\.size=0 makes no sense"),
        ({"size": "large"}, r"data\.size=large makes no sense"),
        ({"batch_size": 2.5}, r"data\.batch_size=2\.5 makes no sense"),
        ({"workers": -1}, r"data\.workers=-1 makes no sense"),
        ({"train_count": 0}, r"data\.train_count=0 makes no sense"),
        ({"on_corrupt": "ignore"}, r"data\.on_corrupt=ignore is unknown"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict, complaint: str):
    with pytest.raises(SDGError, match=complaint):
        FileData(**{"root": "somewhere", "name": "faces"} | settings)
