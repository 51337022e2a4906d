"""Pictures and a table as training data: every batch says of its pictures what their rows say."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.errors import InstantiationException
from pytorch_lightning.plugins.precision import Precision

from sdg.checkpoints import read_state
from sdg.config import build
from sdg.data.captioned import CaptionedData
from sdg.data.captions import ColumnCaptions, LabelCaptions
from sdg.data.run import words
from sdg.errors import SDGError
from sdg.training.run import train
from tests.data.pictures import make_folder, make_zip
from tests.tiny import SIZES, configure


def table(path: Path, numbers: range, line: str = "{0:05d}.png,{1},number {0}") -> Path:
    """A row for each number: its file, whether it is even, and a caption."""
    rows = [line.format(i, "even" if i % 2 == 0 else "odd") for i in numbers]
    path.write_text("\n".join(["file,kind,caption", *rows]) + "\n")
    return path


def data(
    root: Path, captions=None, step: int = 0, rank: int = 0, ranks: int = 1, **settings
) -> CaptionedData:
    """A data module as a trainer would hold it after ``step`` of 4."""
    defaults = {"size": 16, "batch_size": 4, "workers": 0, "cache": str(root.parent / "cache")}
    defaults["table"] = "t.csv"
    module = CaptionedData(str(root), captions or ColumnCaptions(), **defaults | settings)
    module.trainer = SimpleNamespace(
        max_steps=4,
        global_step=step,
        accumulate_grad_batches=1,
        world_size=ranks,
        global_rank=rank,
        is_global_zero=rank == 0,
        precision_plugin=Precision(),
    )
    module.setup("fit")
    return module


KINDS = LabelCaptions({"kind": ["even", "odd"]}, ["an {kind} one", "{kind}"])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("make", [make_folder, make_zip])
def test_a_batch_says_what_its_pictures_rows_say(tmp_path: Path, make, workers: int):
    root = make(tmp_path / "set.zip", 10)  # a folder may be called that, too
    table(tmp_path / "t.csv", range(10))
    for batch in data(root, workers=workers).train_dataloader():
        assert batch["captions"] == [f"number {index}" for index in batch["index"].tolist()]
        assert batch["descriptions"] == batch["captions"]
    module = data(root, KINDS, train_count=6)
    assert "6 to train on and 4 to validate on" in str(module)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        for batch in loader:
            kinds = ["odd" if index % 2 else "even" for index in batch["index"].tolist()]
            assert all(kind in text for kind, text in zip(kinds, batch["captions"], strict=True))


def test_captions_vary_from_step_to_step_and_not_with_resuming_or_devices(tmp_path: Path):
    root = make_folder(tmp_path / "set", 8)
    table(tmp_path / "t.csv", range(8))
    whole = list(data(root, KINDS).train_dataloader())
    assert {text.count("one") for batch in whole for text in batch["captions"]} == {0, 1}
    assert len({data(root, KINDS).words.caption(step, 3) for step in range(20)}) == 2
    for batch, reference in zip(data(root, KINDS, step=2).train_dataloader(), whole[2:], strict=True):
        assert batch["captions"] == reference["captions"]
    for rank in range(2):
        for batch, reference in zip(
            data(root, KINDS, rank=rank, ranks=2).train_dataloader(), whole, strict=True
        ):
            assert batch["captions"] == reference["captions"][rank::2]
    other = [batch["captions"] for batch in data(root, KINDS, seed=1).train_dataloader()]
    assert other != [batch["captions"] for batch in whole]


def test_the_stand_in_of_a_damaged_picture_says_what_it_is(tmp_path: Path):
    root = make_folder(tmp_path / "set", 8, damaged=(3,))
    table(tmp_path / "t.csv", range(8))
    for batch in data(root, on_corrupt="skip").train_dataloader():
        assert 3 not in batch["index"]
        assert batch["captions"] == [f"number {index}" for index in batch["index"].tolist()]


def test_without_a_table_a_picture_has_its_folders_name(tmp_path: Path):
    module = data(
        make_folder(tmp_path / "set", 8),
        LabelCaptions({"folder": {"early": "00000", "late": "00004"}}, ["{folder}"]),
        table=None,
    )
    for batch in module.train_dataloader():
        assert batch["captions"] == ["late" if i >= 4 else "early" for i in batch["index"].tolist()]


def test_what_has_no_counterpart_ends_the_run_or_is_left_out_and_counted(tmp_path: Path, capsys):
    root = make_folder(tmp_path / "set", 8)
    table(tmp_path / "t.csv", range(2, 11))
    with pytest.raises(SDGError, match=r"names 3 pictures that .*set has not, such as 00008\.png: mend"):
        data(root)
    table(tmp_path / "t.csv", range(2, 8))
    with pytest.raises(SDGError, match=r"says nothing of 2 pictures, such as \S+00000\.png: mend that, or"):
        data(root)
    table(tmp_path / "t.csv", range(2, 11))
    module = data(root, unmatched="skip", train_count=4)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: skipped")]
    assert len(told) == 2
    assert "3 pictures" in told[0]
    assert "2 pictures" in told[1]
    assert [list(module.sets[use].places) for use in ("train on", "validate on")] == [[2, 3, 4, 5], [6, 7]]
    seen = torch.cat([batch["index"] for batch in module.train_dataloader()])
    assert set(seen.tolist()) == {2, 3, 4, 5}


@pytest.mark.parametrize(
    "line, captions, complaint",
    [
        ("{0:05d}.png,neither,x", KINDS, r"t\.csv, of \S+00000\.png: kind is 'neither', none of even, odd"),
        ("{0:05d}.png,,x", KINDS, r"t\.csv says nothing of any of 4 pictures"),
        ("{0:05d}.png,even,x", ColumnCaptions("text"), r"t\.csv, of \S+00000\.png: there is no column text"),
        ("{0:05d}.png,even,", None, r"t\.csv says nothing of any of 4 pictures"),
    ],
)
def test_rows_that_cannot_be_understood_are_named(tmp_path: Path, line: str, captions, complaint: str):
    root = make_folder(tmp_path / "set", 4)
    table(tmp_path / "t.csv", range(4), line)
    with pytest.raises(SDGError, match=complaint) as caught:
        data(root, captions)
    assert "\n" not in str(caught.value)


def test_unknown_ways_and_missing_tables_are_named(tmp_path: Path):
    root = make_folder(tmp_path / "set", 4)
    with pytest.raises(SDGError, match=r"t\.csv is not there, nor in or beside"):
        data(root)
    table(tmp_path / "t.csv", range(4))
    with pytest.raises(SDGError, match=r"data\.unmatched=drop is unknown"):
        data(root, unmatched="drop")


def faces(tmp_path: Path) -> list[str]:
    """The settings of ``data=faces64`` on a folder of noise, one face of each age and sex."""
    ages = [1, 8, 25, 45, 80]
    make_folder(tmp_path / "set", 10)
    rows = [f"{i:05d}.png,{ages[i // 2]},{('man', 'woman')[i % 2]}" for i in range(10)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,age,sex", *rows]) + "\n")
    return [
        "data=faces64",
        f"data.root={tmp_path / 'set'}",
        "data.size=16",
        f"data.cache={tmp_path / 'cache'}",
    ]


def test_faces_are_called_what_they_are(tmp_path: Path, capsys):
    words(configure("prepare", faces(tmp_path)))
    out = capsys.readouterr().out.splitlines()
    assert "tells no smile, so captions do not either" in out[0]
    texts = [line.rpartition(".png: ")[2] for line in out[1:-1]]
    assert len(texts) == 10
    module = build(configure("prepare", faces(tmp_path)).data)
    for place in range(10):
        told = {module.words.caption(step, place) for step in range(200)}
        every = {word for text in told for word in text.split()}
        assert ({"baby", "infant", "boy", "girl", "child", "kid"} & every == set()) == (place >= 4)
        assert ({"man", "gentleman"} & every != set()) == (place >= 4 and place % 2 == 0)
        assert ({"woman", "lady", "girl", "female"} & every != set()) == (place % 2 == 1)


def test_the_encoder_for_faces_knows_the_words_of_their_captions(tmp_path: Path, capsys):
    words(configure("prepare", faces(tmp_path)))
    printed = capsys.readouterr().out.splitlines()[-1]
    config = configure("train", ["encoder=faces64", *faces(tmp_path)])
    assert list(config.encoder.clip.vocabulary) == build(config.data).words.vocabulary()
    override = configure("train", ["encoder=faces64", f"encoder.clip.vocabulary={printed}"])
    assert override.encoder.clip.vocabulary == config.encoder.clip.vocabulary


def test_a_small_clip_is_trained_on_pictures_and_their_captions(tmp_path: Path):
    run = [f"output_dir={tmp_path / 'run'}", "data.enlarge=true", "data.size=32", "data.batch_size=4"]
    run += ["data.workers=0", "data.validation_share=0.3", "trainer.max_steps=2", "trainer.accelerator=cpu"]
    run += ["trainer.precision=32-true", "trainer.val_check_interval=2", "~callbacks.bar"]
    run += ["+trainer.enable_progress_bar=false", "trainer.log_every_n_steps=1"]
    words = [word for word in faces(tmp_path) if not word.startswith(("data=", "data.size"))]
    train(configure("train", ["+experiment=faces64_clip_pretrain", *SIZES, *words, *run]))
    state = read_state(tmp_path / "run" / "faces64_clip_pretrain.safetensors")
    vocabulary = configure("train", ["encoder=faces64"]).encoder.clip.vocabulary
    (embedding,) = (value for name, value in state.items() if name.endswith("token_embedding.weight"))
    assert len(embedding) == len(vocabulary) + 4


@pytest.mark.parametrize("name", ["faces64_prior", "faces64_clip_pretrain", "faces64_clip"])
def test_an_experiment_on_faces_composes(tmp_path: Path, name: str):
    config = configure("train", [f"+experiment={name}", f"data.root={tmp_path}"])
    assert config.name == name
    assert config.data.name == "faces64"
    assert config.data.flip
    assert config.data.size == config.prior.denoiser.image_size == config.encoder.clip.image_size == 64
    assert name == "faces64_clip_pretrain" or config.prior.checkpoint.endswith("faces64_prior.safetensors")


def test_a_set_without_captions_has_no_words(tmp_path: Path):
    with pytest.raises(SDGError, match="no table of captions or labels"):
        words(configure("prepare", ["data=folder", f"data.root={make_folder(tmp_path / 'set', 2)}"]))


@pytest.mark.parametrize("name", ["table", "faces64", "smile64", "emoji"])
def test_data_without_a_path_says_so(name: str):
    with pytest.raises(InstantiationException, match=f"say where {name} is"):
        build(configure("train", [f"data={name}"]).data)
