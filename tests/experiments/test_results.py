"""Heads of results, and which results are older than what they depend on."""

import json
from pathlib import Path

import pytest

import sdg
from experiments import dependencies, results
from experiments.dependencies import changed, files, settings_among
from experiments.results import read_head, save_page
from experiments.stale import __main__ as command
from sdg.composition import CONF, ROOT
from sdg.data.toyfaces import ATTRIBUTES
from sdg.files import file_hash

EXPERIMENTS = ROOT / "experiments"


def test_a_page_begins_with_what_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["__main__.py", "--runs", "a b"])
    monkeypatch.setattr(results, "composed", lambda: [CONF / "sampler" / "ddpm.yaml", tmp_path / "own.yaml"])
    path = save_page(tmp_path / "new" / "results.md", ["# Results", ""], "experiments.samplers")
    head, text = read_head(path), path.read_text()
    assert text.endswith("-->\n\n# Results\n")
    assert head is not None
    assert head["command"] == "python -m experiments.samplers --runs 'a b'"
    assert head["versions"]["sdg"] == sdg.__version__
    assert head["files"].keys() == {"conf/sampler", "experiments/samplers", "sdg", "sdg/diffusion"}
    assert head["threads"] >= 1
    old = tmp_path / "old.md"
    old.write_text("# Results\n")
    assert read_head(old) is None

    # A page made of it, by a process that composed another sampler.
    monkeypatch.setattr(results, "composed", lambda: [CONF / "sampler" / "heun.yaml"])
    whole = read_head(save_page(tmp_path / "whole.md", [], "experiments.samplers", [path, old]))
    assert whole is not None
    assert whole["files"]["conf/sampler"].keys() == {"ddpm.yaml", "heun.yaml"}


def test_an_experiment_depends_on_what_it_imports_and_composes() -> None:
    """The samplers' one draws without networks, settings or measures."""
    bare = files(EXPERIMENTS / "samplers")
    assert bare.keys() == {"sdg", "sdg/diffusion", "experiments/samplers"}
    found = files(
        EXPERIMENTS / "samplers", [CONF / "estimator" / "dps.yaml", CONF / "judge" / "toyfaces.yaml"]
    )
    assert {"dps.py", "estimator.py"} <= found["sdg/estimators"].keys()
    assert "sdg.py" not in found["sdg/estimators"]
    judge = file_hash(ROOT / "checkpoints" / "toyfaces" / "judge.safetensors")
    assert found["checkpoints/toyfaces"] == {"judge.safetensors": judge[:6]}
    assert {*bare["sdg/diffusion"].items()} <= {*found["sdg/diffusion"].items()}


MODULE = '''"""A module."""
from collections.abc import Sequence
from sdg.metrics import near
X = 1  # one

def f(a: int) -> int:
    """Says."""
    if a:
        raise ValueError(f"{a} is wrong")
    return X
'''
CHECKOUT = {
    "experiments/one/__main__.py": "from sdg.metrics.near import f\nOF = '{_target_: sdg.data.named.It}'\n",
    "experiments/one/prompts.jsonl": "{}\n",
    "experiments/two/prompts.jsonl": "{}\n",
    "sdg/metrics/near.py": "def f():\n    from sdg.metrics import far\n",
    "sdg/metrics/far.py": MODULE,
    "sdg/data/named.py": "X = 1\n",
    "sdg/diffusion/ours.py": "import sdg.diffusion.base\n",
    "sdg/diffusion/base.py": "X = 1\n",
    "conf/sampler/ours.yaml": "# a\n_target_: sdg.diffusion.ours.It  # b\nn: 1\nof: toy/a.safetensors\n",
    "checkpoints/toy/a.safetensors": "a",
    "checkpoints/toy/a.json": "{}",
    "checkpoints/toy/b.safetensors": "b",
}


def test_what_is_needed_counts_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "ROOT", tmp_path)
    settings = [tmp_path / "conf/sampler/ours.yaml"]

    def put(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def now() -> dependencies.Files:
        return files(tmp_path / "experiments/one", settings)

    def change(name: str, text: str) -> list[str]:
        """What counts as changed if a file says ``text``."""
        put(name, text)
        found = changed(before, now())
        put(name, CHECKOUT.get(name, ""))
        return found

    for name, text in CHECKOUT.items():
        put(name, text)
    before = now()
    assert settings_among(before) == settings
    for name in (
        *("sdg/metrics/new.py", "sdg/diffusion/other.py", "sdg/report/new.py", "experiments/two/__main__.py"),
        *("experiments/two/prompts.jsonl", "conf/sampler/other.yaml", "conf/sampler/ours/more.yaml"),
        *("checkpoints/toy/b.safetensors", "checkpoints/toy/new.safetensors"),
    ):
        assert change(name, "X = 3\n") == [], name
    for name in (
        *("sdg/metrics/near.py", "sdg/data/named.py", "sdg/diffusion/base.py"),
        *("experiments/one/prompts.jsonl", "checkpoints/toy/a.safetensors", "checkpoints/toy/a.json"),
    ):
        assert name in change(name, "X = 3\n"), name
    ours, far = "conf/sampler/ours.yaml", "sdg/metrics/far.py"
    for name, old, new in (
        *((ours, "# a\n", "# longer\n\n"), (ours, "# b", "")),
        *((far, "A module.", "Another."), (far, "# one", "# two"), (far, "Says.", "Tells.")),
        *(
            (far, "int", "float"),
            (far, " is wrong", ""),
            (far, "Sequence", "Mapping"),
            (far, "\n\n", "\n\n\n"),
        ),
    ):
        assert change(name, CHECKOUT[name].replace(old, new)) == [], new
    for name, old, new in (
        *((ours, "1", "2"), (far, "X = 1", "X = 2"), (far, "if a", "if not a"), (far, "Value", "Type")),
        *((far, "near", "far"), (far, "f(a", "f(b")),
    ):
        assert change(name, CHECKOUT[name].replace(old, new)) == [name], new
    put("experiments/one/new.py", "")
    assert changed(before, now()) == ["experiments/one/new.py"]


def test_pages_of_other_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = files(EXPERIMENTS / "samplers")
    monkeypatch.setattr(command, "FOLDER", tmp_path / "experiments")
    monkeypatch.setattr(command, "files", lambda folder, _: ours if folder.name == "samplers" else {})
    monkeypatch.setattr(results, "composed", list)
    folder = tmp_path / "experiments" / "samplers"
    fresh = save_page(folder / "deeper" / "results.md", ["new"], "experiments.samplers")
    (folder / "README.md").write_text("no results")
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 0
    assert "0 of 1 pages" in capsys.readouterr().out

    for name, other in (
        ("one", {"sdg": ours["sdg"] | {"pixels.py": "123456"}}),
        ("room", {"sdg/diffusion": {"gone.py": "123456"}}),
    ):
        head = results.made_by(EXPERIMENTS / "samplers")
        head["files"] = ours | other
        (folder / f"{name}.md").write_text(f"<!-- made by: {json.dumps(head)} -->\n")
    (folder / "silent.md").write_text("# nothing\n")
    (folder / "old.md").write_text('<!-- made by: {"commit": "0123456789abcdef", "code": {}} -->\n')
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 1
    old, one, room, silent, last = capsys.readouterr().out.splitlines()
    assert one.startswith("experiments/samplers/one.md: sdg/pixels.py changed since ")
    assert room.startswith("experiments/samplers/room.md: sdg/diffusion/__init__.py, ")
    assert f" and {len(ours['sdg/diffusion']) + 1 - 5} more changed since " in room
    assert old == "experiments/samplers/old.md: made by 0123456789ab, which did not name files yet"
    assert silent == "experiments/samplers/silent.md: it does not say what made it"
    assert last.startswith("4 of 5 pages")
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
