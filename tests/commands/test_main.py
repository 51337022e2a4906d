"""The command sdg: which entry point each word runs, and one line for what is mistyped."""

import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from sdg.commands import main as command
from sdg.commands.main import main
from sdg.composition import CONF
from sdg.config import command_line


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What entry points find on their command line, in place of running."""
    found: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["sdg"])

    def run(name: str) -> SimpleNamespace:
        return SimpleNamespace(__file__=f"{name}.py", main=lambda *words: found.append([*sys.argv, *words]))

    monkeypatch.setattr(command, "import_module", run)
    return found


@pytest.mark.parametrize(
    "words, expected",
    [
        (
            ["draw", "a smiling face", "n=2", "a hat, red", "sampler=fast", "scale=9"],
            [
                "samples_per_prompt=2",
                "sampler=fast",
                "guidance.scale=9",
                'prompts=["a smiling face", "a hat, red"]',
            ],
        ),
        (["draw", "method=unguided", "-m", "seed=1,2"], ["method=unguided", "-m", "seed=1,2"]),
        (["again", "tests", "seed=1"], ["again=tests", "seed=1"]),
        (["train", "+experiment=toyfaces_clip"], ["+experiment=toyfaces_clip"]),
        (["evaluate", "samples=a"], ["samples=a"]),
    ],
)
def test_words_reach_their_entry_point(words: list[str], expected: list[str], given: list[list[str]]) -> None:
    main(words)
    script = "sample" if words[0] in ("draw", "again") else words[0]
    assert given == [[f"sdg.commands.{script}.py", *expected]]


def test_tools_are_given_their_words(given: list[list[str]]) -> None:
    main(["runs", "outputs", "--out", "x"])
    assert given == [["sdg", ["runs", "outputs", "--out", "x"]]]


@pytest.mark.parametrize(
    "words, message",
    [
        (["drew"], "no command 'drew': did you mean sdg draw?"),
        (["a smiling face"], 'sdg draw "a smiling face" draws it'),
        (["qqq"], "choose draw, again, play"),
        (["again", "nowhere.png"], "there is no picture at nowhere.png"),
    ],
)
def test_a_mistake_ends_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_is_not_overwritten_by_its_twin(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(SystemExit, match="would be overwritten"):
        main(["again", str(tmp_path / "a.png"), "--out", str(tmp_path)])


def test_help_names_every_command_and_version_the_versions(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    text = capsys.readouterr().out
    assert all(f"sdg {name} " in text for name in command.COMMANDS)
    main(["--version"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("sdg 0.", "Python 3.", "torch 2.", "device "))


def test_the_line_of_a_run_is_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ['prompts=["it\'s a hat"]', "seed=3"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("sample", words, return_hydra_config=True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    assert command_line("sample") is None
    HydraConfig.instance().set_config(config)
    assert shlex.split(command_line("sample") or "") == ["python", "sample.py", *words]
