"""Heads of results, and which results are older than what they depend on."""

import json
from pathlib import Path

import pytest

import sdg
from experiments import dependencies, results
from experiments.dependencies import code
from experiments.results import read_head, save_page
from experiments.stale import __main__ as command
from sdg.composition import ROOT
from sdg.data.toyfaces import ATTRIBUTES
from sdg.files import file_hash

SAMPLERS, FEW_STEPS = ROOT / "experiments" / "samplers", ROOT / "experiments" / "few_steps"


def test_a_page_begins_with_what_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["__main__.py", "--runs", "a b"])
    path = save_page(tmp_path / "new" / "results.md", ["# Results", ""], "experiments.text_alignment")
    head, text = read_head(path), path.read_text()
    assert text.endswith("-->\n\n# Results\n")
    assert head is not None
    assert head["command"] == "python -m experiments.text_alignment --runs 'a b'"
    assert head["versions"]["sdg"] == sdg.__version__
    assert head["data"]["prompts.jsonl"] == file_hash(ROOT / "experiments/text_alignment/prompts.jsonl")[:12]
    shipped = {file.name: file_hash(file)[:12] for file in (ROOT / "checkpoints").rglob("*.safetensors")}
    assert head["weights"] == shipped != {}
    assert head["threads"] >= 1
    assert head["code"].keys() >= {"sdg/metrics", "sdg/sampling", "conf", "experiments/text_alignment"}
    (tmp_path / "old.md").write_text("# Results\n")
    assert read_head(tmp_path / "old.md") is None


def test_an_experiment_depends_on_what_it_imports() -> None:
    """The samplers' one draws without networks, settings or measures; few_steps takes all of them."""
    assert code(SAMPLERS).keys() == {
        "sdg/diffusion",
        "sdg/pixels.py",
        "sdg/randomness.py",
        "experiments/samplers",
    }
    assert code(FEW_STEPS).keys() >= {*dependencies.ROOMS, "experiments/few_steps"}


def test_comments_and_documentation_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "ROOT", tmp_path)

    def said(text: str, name: str = "a.py") -> str:
        (tmp_path / name).write_text(text)
        return dependencies._said(tmp_path / name)

    one = said('"""A module."""\nX = 1  # one\n\n\ndef f():\n    """Says."""\n    return X\n')
    assert said("X = 1\ndef f():\n    return X\n") == one
    assert said("X = 2\ndef f():\n    return X\n") != one
    assert said("# a\nx: 1\n", "a.yaml") == said("x: 1\n", "a.yaml") != said("x: 2\n", "a.yaml")


def test_pages_of_other_code_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path / "experiments")
    monkeypatch.setattr(command, "code", lambda folder: code(SAMPLERS))
    folder = tmp_path / "experiments" / "samplers"
    fresh = save_page(folder / "results.md", ["new"], "experiments.samplers")
    (folder / "README.md").write_text("no results")
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 0
    assert "0 of 1 pages" in capsys.readouterr().out

    head = results.made_by(SAMPLERS)
    head["code"] = head["code"] | {"sdg/diffusion": "of another time"}
    (folder / "older.md").write_text(f"<!-- made by: {json.dumps(head)} -->\n")
    (folder / "oldest.md").write_text("# nothing\n")
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("experiments/samplers/older.md: sdg/diffusion changed since ")
    assert said[1] == "experiments/samplers/oldest.md: it does not say what made it"
    assert said[2].startswith("2 of 3 pages")
    assert fresh.is_file()


def test_the_readme_says_what_the_page_it_cites_says() -> None:
    """The page of experiments/text_alignment, of whose rows README tells shares in per cent."""
    page = (ROOT / "experiments/text_alignment/results.md").read_text()
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ") for line in page.splitlines()}

    def per_cent(name: str, column: int) -> int:
        return round(100 * float(rows[name][column].split()[0]) + 1e-9)

    readme = " ".join((ROOT / "README.md").read_text().split())
    right, chance = (per_cent("alignment/mentioned", column) for column in (1, 2))
    assert f"{right} % of the mentioned attributes are right, against {chance} % without guidance" in readme
    every, chance = (per_cent("alignment/all", column) for column in (1, 2))
    assert f"is right in {every} % of the samples, against {chance} %" in readme
    assert f"keeps {per_cent('spread/all', 1)} % of its spread" in readme
    weak, chance = (per_cent("alignment/expression", column) for column in (1, 2))
    assert f"Expressions are the weak spot, {weak} % against {chance} %" in readme
    others = [name for name in ATTRIBUTES if name != "expression"]
    least = min(per_cent(f"alignment/{name}", 1) for name in others)
    assert f"every other attribute is right in {least} % or more" in readme
