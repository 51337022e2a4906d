"""Every command that README and docs name is one that the program takes; those that draw toy faces do."""

import argparse
import inspect
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from PIL import Image

from sdg.commands import main as commands_main
from sdg.composition import ROOT, compose, conf_folders
from sdg.config import resolved
from sdg.data.toyfaces.references import write_references
from sdg.metrics.run import evaluate
from sdg.sampling.asked import check_aims
from sdg.sampling.run import sample
from sdg.settings.typed import settings_in, tidy
from sdg.words import in_full
from tests.documented import DOCUMENTS, commands, mentions, words
from tests.tiny import configure, make_weights

SCRIPTS = {"sample.py": "sample", "train.py": "train", "evaluate.py": "evaluate", "sdg.sweep": "sweep"}
RUN = ("README.md", "docs/drawing.md", "docs/estimators.md", "docs/populations.md", "docs/performance.md")
"""Documents whose drawings are drawn."""


class Taken(Exception):
    """A command's own parser has read all of its words."""


def named(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def by_hand() -> set[str]:
    """The lines of docs/testing.md's list of what no test takes."""
    _, _, after = (ROOT / "docs" / "testing.md").read_text("utf-8").partition("## Commands")
    return set(re.findall(r"^- `([^`]+)`: ", after, re.MULTILINE))


def composed(name: str, given: Sequence[str]) -> DictConfig | None:
    """A script's configuration; raises the error that a user would see. Of a sweep, its first job's."""
    if {"--help", "-h", "--config-dir"} & {*given}:
        return None
    chosen = [in_full(word) for word in settings_in(tidy(name, given, conf_folders()))]
    chosen = [_first(word) for word in chosen if not word.startswith(("hydra/", "hydra."))]
    config = compose(name, [word for word in chosen if "my_terms" not in word])
    if name == "sample" and chosen and config.prompts_file is None and config.again is None:
        check_aims(resolved(config))
    return config


def _first(word: str) -> str:
    """Of an override with several values, the first."""
    (override,) = OverridesParser.create().parse_overrides([word])
    if not override.is_sweep_override():
        return word
    return f"{override.get_key_element()}={next(override.sweep_string_iterator())}"


def _stopping(name: str) -> Callable[..., None]:
    """A method of parsers that ends the command once it has read its words."""
    parse = getattr(argparse.ArgumentParser, name)

    def stopping(parser: argparse.ArgumentParser, *given: Any) -> None:
        parse(parser, *given)
        raise Taken

    return stopping


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has a command read its words, and do nothing."""
    for name in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(argparse.ArgumentParser, name, _stopping(name))
    monkeypatch.setattr(sys, "argv", ["python"])
    monkeypatch.setattr(commands_main, "_entry_point", lambda name: lambda given: composed(name, given))
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))

    extras = {*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]}

    def take(command: str) -> None:
        program, *given = words(command)
        if program == "make":
            assert {word for word in given if "=" not in word} <= targets
        elif program == "pip":
            assert {*re.findall(r"\w+", given[-1])} <= extras
        elif given[:2] == ["-m", "pytest"]:
            assert all(
                (ROOT / word).exists() for word in given if word.startswith("tests/") and word != "tests/ROOM"
            )
        elif program == "sdg":
            if given not in (["--version"], ["--help"]):
                commands_main.main(given)
        elif given[0] in SCRIPTS:
            composed(SCRIPTS[given[0]], given[1:])
        elif given[1] in SCRIPTS:
            composed(SCRIPTS[given[1]], given[2:])
        elif given[1].startswith("tests."):  # may want a browser, and takes no words
            assert (ROOT / f"{given[1].replace('.', '/')}.py").exists()
        elif given[1] == "sdg.data":
            composed("prepare", given[3:])
        else:
            _call(given[1], given[2:])

    return take


def _call(name: str, given: list[str]) -> None:
    """Calls what ``python -m`` would run."""
    is_file = (ROOT / f"{name.replace('.', '/')}.py").exists()
    main = getattr(import_module(name if is_file else f"{name}.__main__"), "main", None)
    if main is None:
        assert not given
    elif inspect.signature(main).parameters:
        main(given)
    else:
        sys.argv[1:] = given
        main()


@pytest.mark.parametrize(
    "document",
    [pytest.param(each, marks=[] if i < 2 else pytest.mark.slow) for i, each in enumerate(DOCUMENTS)],
    ids=map(named, DOCUMENTS),
)
def test_commands_are_taken(document: Path, take: Callable[[str], None]) -> None:
    wrong = []
    for command in [*commands(document), *mentions(document)]:
        if command in by_hand():
            continue
        try:
            take(command)
        except Taken:
            pass
        except (Exception, SystemExit) as error:
            # A sentence may name a command without what it needs; 0: it has shown its help.
            ended = error.code if isinstance(error, SystemExit) else None
            if not (ended == 0 or (ended == 2 and len(words(command)) < 4)):
                wrong.append(f"{command}: {error}")
    assert wrong == []


def test_what_is_done_by_hand_is_named_somewhere() -> None:
    assert by_hand() <= {
        line for document in DOCUMENTS for line in (*commands(document), *mentions(document))
    }


def drawings(document: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands that draw or evaluate toy faces: the script's name, and its words."""
    for command in commands(document):
        program, name, *given = [*words(command), ""]
        script = (
            {"draw": "sample", "evaluate": "evaluate"}.get(name) if program == "sdg" else SCRIPTS.get(name)
        )
        elsewhere = re.search(r"\bPATH\b|\bFILE\b|ffhq|stylegan|toyfaces_spectral", command)
        if script in ("sample", "evaluate") and not elsewhere:
            yield script, _draw_words([word for word in given if word]) if program == "sdg" else given[:-1]


def _draw_words(given: list[str]) -> list[str]:
    """What ``sdg draw`` makes of sentences and short names."""
    found: list[list[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands_main, "_entry_point", lambda name: lambda words: found.append(list(words)))
        commands_main._draw(given)
    return found[0]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_drawings_are_drawn(
    name: str, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tiny networks in two steps, in the document's order, in a folder that has its pictures."""
    monkeypatch.chdir(tmp_path)
    write_references(Path("outputs/references"), 8, size=32)
    shutil.copy("outputs/references/face_000.png", "face.png")
    Image.new("L", (32, 32), 255).save("mask.png")
    shutil.copytree(ROOT / "experiments" / "text_alignment", "experiments/text_alignment")
    small = [*tiny, "trainer.accelerator=cpu"]
    few = ["sampler.steps=4", "samples_per_prompt=1"]
    for number, (script, given) in enumerate(drawings(ROOT / name)):
        if script == "sample":
            own = [] if any("output_dir=" in word for word in given) else [f"output_dir=run{number}"]
            fewer = [
                word for word in few if not (word.startswith("sampler") and "estimator=control" in given)
            ]
            assert sample(configure("sample", [*given, *small, *fewer, *own])).is_file()
        else:
            evaluate(configure("evaluate", given))
            assert Path(given[0].partition("=")[2], "metrics.json").is_file()
