"""The words that people type, and what they are taken for."""

from pathlib import Path

import pytest

from sdg.composition import CONF, compose
from sdg.errors import SDGError
from sdg.settings.typed import settings_in, tidy


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")


@pytest.mark.parametrize(
    "word, taken",
    [
        ("output_dir=~/x", "output_dir=/home/me/x"),
        ("output_dir=~", "output_dir=/home/me"),
        ("references=[~/a.png, ~/b.png]", "references=[/home/me/a.png, /home/me/b.png]"),
        ("samples=~nobody-is-called-so/x", "samples=~nobody-is-called-so/x"),
        ('prompts=["a ~/ sign"]', 'prompts=["a ~/ sign"]'),
        ("output_dir=a~/x", "output_dir=a~/x"),
        ("~guidance.terms.text", "~guidance.terms.text"),
        ("logger=null", "logger=[]"),
        ("~logger", "logger=[]"),
        ("callbacks=null", "callbacks=[]"),
        ("constraint=null", "~constraint"),
        ("prior.checkpoint=null", "prior.checkpoint=null"),
        ("+experiment=demo", "+experiment=demo"),
        ("-m", "-m"),
    ],
)
def test_words_are_written_as_hydra_takes_them(word: str, taken: str) -> None:
    assert tidy("sample", [word], [CONF]) == [taken]


@pytest.mark.parametrize(
    "command, words, line",
    [
        (
            "sample",
            ["a smiling face"],
            "'a smiling face' is no setting: type python sample.py 'prompts=[\"a smiling face\"]'",
        ),
        (
            "sample",
            ["a", "smiling", "face", "seed=3"],
            "'a smiling face' is no setting: type python sample.py 'prompts=[\"a smiling face\"]' seed=3",
        ),
        (
            "evaluate",
            ["outputs/demo"],
            "'outputs/demo' is no setting: type python evaluate.py samples=outputs/demo",
        ),
        (
            "train",
            ["toyfaces_clip"],
            "'toyfaces_clip' is no setting: type python train.py +experiment=toyfaces_clip",
        ),
        ("train", ["faces"], "'faces' is no setting: a setting is written key=value, and --help lists them"),
        (
            "sample",
            ["+experiment=ffhq_clip"],
            "ffhq_clip is an experiment of train.py: type python train.py +experiment=ffhq_clip",
        ),
        (
            "train",
            ["+experiment=demo"],
            "demo is an experiment of sample.py: type python sample.py +experiment=demo",
        ),
        ("sample", ["output_dir="], "output_dir= names no folder: give output_dir=PATH, or . for this one"),
        ("train", ["judge=null"], "judge=null names nothing: choose judge=faceapi|toyfaces"),
    ],
)
def test_a_slip_is_told_what_to_type(command: str, words: list[str], line: str) -> None:
    with pytest.raises(SDGError) as refused:
        tidy(command, words, [CONF])
    assert str(refused.value) == line


@pytest.mark.parametrize(
    "program, line",
    [
        ("sample.py", "python sample.py 'prompts=[\"a face\"]'"),
        ("/usr/lib/sdg/commands/sample.py", "sdg draw 'prompts=[\"a face\"]'"),
    ],
)
def test_what_to_type_is_of_the_command_that_was_typed(
    monkeypatch: pytest.MonkeyPatch, program: str, line: str
) -> None:
    monkeypatch.setattr("sys.argv", [program, "a face"])
    with pytest.raises(SDGError) as refused:
        tidy("sample", ["a face"], [CONF])
    assert str(refused.value).endswith(f"type {line}")


def test_flags_and_their_values_are_no_settings() -> None:
    words = ["--cfg", "job", "-m", "--config-dir", "mine", "seed=1", "-p", "guidance"]
    assert settings_in(words) == ["seed=1"]
    assert tidy("sample", words, [CONF]) == words


def test_an_experiment_of_ones_own_is_for_any_command(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 3\n", encoding="utf-8")
    for command in ("train", "sample"):
        assert tidy(command, ["+experiment=mine"], [tmp_path, CONF]) == ["+experiment=mine"]


def test_home_is_found_in_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nprompts: [~/is text]\nreferences: [~/a.png]\nprior: {checkpoint: ~/p}\n"
        "start: {mask: ~}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    config = compose("sample", ["+experiment=mine", "start.image='~/b c.png'"])
    assert list(config.references) == ["/home/me/a.png"]
    assert config.prior.checkpoint == "/home/me/p"
    assert config.start.image == "/home/me/b c.png"
    assert config.start.mask is None  # YAML's null
    assert list(config.prompts) == ["~/is text"]
