"""One word repeats a run from its folder, and what is typed beside it changes just that."""

from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from sdg.composition import CONF, compose
from sdg.errors import SDGError
from sdg.settings.again import repeat

RAN = [
    "prompts=['a ${x}']".replace("$", "\\$"),
    "guidance=style",
    "guidance.scale=7",
    "guidance.clamp=0.25",
    "sampler=ddim",
    "+trainer.precision=bf16-mixed",
    "start.image=face.png",
    "seed=5",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = compose("sample", RAN)
    kept = {
        name: config._get_node(name) for name in config if name not in ("trainer", "output_dir", "logger")
    }
    kept |= {"trainer": {"precision": "bf16-mixed"}, "contents": ["1  x"], "earlier": []}
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(kept)), encoding="utf-8")
    (tmp_path / "manifest.jsonl").touch()
    return tmp_path


def repeated(folder: Path, *words: str) -> DictConfig:
    typed = [f"again={folder}", *words]
    return repeat(compose("sample"), compose("sample", typed), typed, [CONF])


def test_a_run_is_repeated_by_a_word(folder: Path) -> None:
    config, ran = repeated(folder, "output_dir=new"), compose("sample", [*RAN, "output_dir=new"])
    ran.again = str(folder)
    assert OmegaConf.to_container(config, resolve=True) == OmegaConf.to_container(ran, resolve=True)
    assert list(config.prompts) == ["a ${x}"]


def test_what_is_typed_beside_it_changes_just_that(folder: Path) -> None:
    config = repeated(
        folder, "guidance.scale=9", "+trainer.max_time=1", "samples_per_prompt=2", "sampler=fast"
    )
    assert config.guidance.scale == 9
    assert config.guidance.clamp == 0.25
    assert set(config.guidance.terms) == {"style"}
    assert config.trainer.precision == "bf16-mixed"
    assert config.trainer.max_time == 1
    assert config.samples_per_prompt == 2
    assert config.sampler == compose("sample", ["sampler=fast"]).sampler
    assert config.seed == 5


@pytest.mark.parametrize("word", ["+experiment=demo", "method=ilvr", "~guidance.terms.text"])
def test_what_has_no_place_beside_it_is_refused(folder: Path, word: str) -> None:
    with pytest.raises(SDGError, match="again= repeats a run as it was: leave"):
        repeated(folder, word)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SDGError, match=r"holds no run of sample\.py: give again=FOLDER"):
        repeated(tmp_path)
    (tmp_path / "manifest.jsonl").touch()
    (tmp_path / "config.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(SDGError, match="cannot be read"):
        repeated(tmp_path)
