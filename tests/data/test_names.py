"""Names of files that are not UTF-8, as disks of other systems have them, go wherever other names go."""

import html
import json
import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sdg.data.file_data import FileData
from sdg.data.folder import FolderSource
from sdg.data.listing import list_pictures
from sdg.errors import SDGError
from sdg.files import printable, write_whole
from sdg.report.page import write_page
from sdg.sampling.run import sample
from tests.data.pictures import picture
from tests.tiny import configure, make_weights

NAME = "gesicht_\udce4.png"
"""How Python gives the Latin-1 name of gesicht_ä.png."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good picture and a damaged one, both with such names."""
    root = tmp_path / "bilder_\udce4"
    try:
        root.mkdir()
        (root / NAME).write_bytes(picture(0, (40, 40)))
        (root / f"kaputt_{NAME}").write_bytes(b"no picture")
    except (OSError, UnicodeEncodeError):
        pytest.skip("runs on a disk that takes names which are not UTF-8")
    return root


def test_a_name_is_spelt_out_where_it_is_shown():
    assert printable(NAME) == r"gesicht_\xe4.png"
    assert printable("gesicht_ä 顔.png") == "gesicht_ä 顔.png"
    ascii_only = "gesicht_ä.png".encode().decode("ascii", "surrogateescape")  # as LC_ALL=C reads it
    assert printable(ascii_only) == "gesicht_ä.png"


def test_text_with_such_a_name_reads_back_from_json_and_yaml(tmp_path: Path):
    record = {"reference": NAME, "prompt": "顔"}
    write_whole(tmp_path / "record.json", json.dumps(record, ensure_ascii=False))
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8")) == record
    write_whole(tmp_path / "record.yaml", OmegaConf.to_yaml(OmegaConf.create(record)))
    assert OmegaConf.to_container(OmegaConf.load(tmp_path / "record.yaml")) == record


def test_pictures_of_such_names_are_listed_read_and_named(folder: Path):
    assert [path.name for path in list_pictures(folder)] == [NAME, f"kaputt_{NAME}"]
    source = FolderSource(folder)
    assert source.open(0).size == (40, 40)
    before = source.fingerprint()
    (folder / NAME).rename(folder / "gesicht_\udce5.png")
    assert FolderSource(folder).fingerprint() != before
    with pytest.raises(SDGError, match="kaputt_") as caught:
        source.open(1)
    assert "\n" not in str(caught.value)


def test_a_cache_of_such_names_is_written_and_read(folder: Path, tmp_path: Path, capsys):
    settings = {"size": 16, "workers": 0, "cache": str(tmp_path / "cache"), "on_corrupt": "skip"}
    FileData(str(folder), **settings).write_cache()
    assert len(FileData(str(folder), **settings).squares.damaged) == 1
    assert r"kaputt_gesicht_\xe4.png is empty" in capsys.readouterr().out


def test_a_run_with_such_a_reference_has_manifest_settings_and_page(folder: Path, tmp_path: Path):
    (folder / f"kaputt_{NAME}").unlink()
    words = [*make_weights(tmp_path), "guidance=content", f"output_dir={tmp_path / 'out'}"]
    words += ["samples_per_prompt=1", "unguided=false", "sampler.steps=2", "trainer.accelerator=cpu"]
    config = configure("sample", [*words, "guidance.terms.content.weight=1"])
    config.references = [str(folder)]
    for _ in range(2):  # the second run finds the folder of the first
        sample(config)
    (record,) = (json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    assert record["reference"] == str(folder / NAME)
    assert os.path.exists(record["reference"])
    assert OmegaConf.load(tmp_path / "out" / "config.yaml").references == [str(folder / NAME)]
    assert r"gesicht_\xe4" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_a_page_shows_a_title_that_is_not_utf_8(tmp_path: Path):
    page = write_page(tmp_path, [], title=f"<{NAME}>")
    assert html.escape(r"<gesicht_\xe4.png>") in page.read_text(encoding="utf-8")
