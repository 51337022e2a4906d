"""A run's folder keeps its settings: others are named, a plan may grow, and text stays text."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sdg.errors import SDGError
from sdg.sampling.plan import SamplePlan
from sdg.sampling.recorded import as_text, changed_files, read_record, recorded, settle
from sdg.sampling.run import sample
from tests.tiny import configure, make_weights

GIVEN: dict[str, Any] = {
    "samples_per_prompt": 2,
    "unguided": True,
    "guidance": {"scale": 400.0},
    "prior": {"checkpoint": "${paths.checkpoints}/p"},
    "seed": 0,
    "batch_size": 8,
    "output_dir": "x",
    "trainer": {"devices": 1},
}
MAKE = partial(SamplePlan, seed=0, scale=400.0)


def settings(*prompts: str, files: dict[str, str] | None = None, **others: Any) -> dict[str, Any]:
    contents = list(({"p": "11"} if files is None else files).items())
    return recorded(GIVEN | others, prompts, others.get("references", []), contents)


def keep(folder: Path, new: dict[str, Any]) -> SamplePlan:
    """What a run does first; its plan."""
    whole, plan = settle(folder, new, MAKE)
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(as_text(whole), encoding="utf-8")
    return plan


def numbered(plan: SamplePlan) -> dict[tuple[str | None, int], int]:
    return {(entry.prompt, entry.index): entry.id for entry in plan}


def test_what_samples_depend_on_is_recorded(tmp_path: Path) -> None:
    keep(tmp_path, settings("a"))
    assert read_record(tmp_path) == {
        "samples_per_prompt": 2,
        "unguided": True,
        "guidance": {"scale": 400.0},
        "prior": {"checkpoint": "${paths.checkpoints}/p"},
        "seed": 0,
        "prompts": ["a"],
        "references": [],
        "contents": ["11  p"],
    }
    keep(
        tmp_path, settings("a", batch_size=1, output_dir="y", trainer={"devices": 4, "precision": "32-true"})
    )


@pytest.mark.parametrize(
    "changed, line",
    [
        ({"guidance": {"scale": 30.0}}, "guidance.scale was 400.0, now 30.0"),
        ({"seed": 1}, "seed was 0, now 1"),
        ({"trainer": {"precision": "bf16-mixed"}}, "trainer.precision was unset, now bf16-mixed"),
        ({"files": {"p": "22"}}, "p is another file now"),
        ({"files": {}}, "p is another file now"),
        (
            {"guidance": {"scale": 1}, "seed": 2, "start": None, "compile": True},
            "guidance.scale was 400.0, now 1; seed was 0, now 2; start was unset, now null and 1 more",
        ),
    ],
)
def test_other_settings_are_named(tmp_path: Path, changed: dict[str, Any], line: str) -> None:
    keep(tmp_path, settings("a"))
    before = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    with pytest.raises(SDGError) as refused:
        keep(tmp_path, settings("a", **changed))
    told = f"{tmp_path} holds samples of other settings ({line}): choose another output_dir"
    assert str(refused.value) == told
    assert (tmp_path / "config.yaml").read_text(encoding="utf-8") == before


def test_a_plan_grows_and_what_was_drawn_keeps_its_ids(tmp_path: Path) -> None:
    first = numbered(keep(tmp_path, settings("a")))
    assert first == {(None, 0): 0, (None, 1): 1, ("a", 0): 2, ("a", 1): 3}
    second = numbered(keep(tmp_path, settings("b", "a")))
    assert second == first | {("b", 0): 4, ("b", 1): 5}
    third = numbered(keep(tmp_path, settings("b", "a", samples_per_prompt=3)))
    assert third == second | {(None, 2): 6, ("b", 2): 7, ("a", 2): 8}
    assert list(third) == [(p, i) for p in (None, "b", "a") for i in range(3)]  # the plan's order
    # Said once more, nothing grows.
    again = keep(tmp_path, settings("b", "a", samples_per_prompt=3))
    assert numbered(again) == third
    known = read_record(tmp_path)
    assert known is not None
    assert [(plan["prompts"], plan["samples_per_prompt"]) for plan in known["earlier"]] == [
        (["a"], 2),
        (["b", "a"], 2),
    ]


def test_what_starts_unguided_later_grows_too(tmp_path: Path) -> None:
    keep(tmp_path, settings("a", unguided=False))
    assert numbered(keep(tmp_path, settings("a"))) == {("a", 0): 0, ("a", 1): 1, (None, 0): 2, (None, 1): 3}


@pytest.mark.parametrize(
    "new, line",
    [
        (settings("b"), "samples of 'a' were drawn: ask for them, too, or choose another output_dir"),
        (settings("a", unguided=False), "samples without guidance (unguided=true) were drawn: ask for them"),
        (settings("a", "b", samples_per_prompt=1), "2 samples were drawn for each prompt: give samples_per"),
    ],
)
def test_a_plan_does_not_shrink(tmp_path: Path, new: dict[str, Any], line: str) -> None:
    keep(tmp_path, settings("a"))
    with pytest.raises(SDGError) as refused:
        keep(tmp_path, new)
    assert str(refused.value).startswith(line)


def test_a_reference_is_added_with_its_file(tmp_path: Path) -> None:
    keep(tmp_path, settings(references=["r"], files={"p": "11", "r": "3"}))
    more = settings(references=["r", "s"], files={"p": "11", "r": "3", "s": "4"})
    assert len(keep(tmp_path, more)) == 6
    with pytest.raises(SDGError, match="r is another file now"):
        keep(tmp_path, settings(references=["r", "s"], files={"p": "11", "r": "5", "s": "4"}))


@pytest.mark.parametrize(
    "prompt", ["a ${b}", r"a \${b}", "${", "a: b # c", "größe \u2028 x", "{a}", "null", "1e3"]
)
def test_a_prompt_is_kept_as_it_is(tmp_path: Path, prompt: str) -> None:
    for _ in range(2):
        keep(tmp_path, settings(prompt))
    known = read_record(tmp_path)
    assert known is not None
    assert known["prompts"] == [prompt]
    assert "earlier" not in known


def test_files_that_changed_are_named() -> None:
    known = settings("a", files={"p": "11", "q": "12", "r": "13"})
    assert changed_files(known, settings("a", files={"p": "11", "q": "99"})) == ["q"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


def draw(weights: list[str], folder: Path, *words: str) -> Path:
    common = ["trainer.accelerator=cpu", "sampler.steps=2", "guidance.scale=30", f"output_dir={folder}"]
    sample(configure("sample", [*weights, *common, *words]))
    return folder


def by_key(folder: Path) -> dict[tuple, bytes]:
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {(r["prompt"], r["index"]): (folder / r["file"]).read_bytes() for r in records}


def test_a_run_that_grew_has_the_pictures_of_one_drawn_at_once(weights: list[str], tmp_path: Path) -> None:
    weights = [*weights, "group=2"]  # or the smaller run would have a smaller one
    folder = draw(weights, tmp_path / "grown", "prompts=[a face]", "samples_per_prompt=1")
    before = {path: path.stat().st_mtime_ns for path in (folder / "samples").iterdir()}
    draw(weights, folder, "prompts=[a hat, a face]", "samples_per_prompt=2")
    whole = by_key(draw(weights, tmp_path / "whole", "prompts=[a hat, a face]", "samples_per_prompt=2"))
    assert by_key(folder) == whole
    assert list(by_key(folder)) == list(whole)  # manifest and page are in the plan's order
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(list((folder / "samples").iterdir())) == 6
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.index("a hat") < page.index("a face")
