"""The plan: what is drawn, in which order, with which noise."""

from pathlib import Path

import pytest

from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.sampling.plan import SamplePlan


def test_unguided_first_then_every_prompt_with_the_same_noise():
    plan = list(SamplePlan(["a", "b"], [], samples_per_prompt=2, seed=7, scale=50.0))
    assert [entry.prompt for entry in plan] == [None, None, "a", "a", "b", "b"]
    assert [entry.index for entry in plan] == [0, 1] * 3
    assert [entry.scale for entry in plan] == [0.0, 0.0, 50.0, 50.0, 50.0, 50.0]
    assert {entry.seed for entry in plan} == {7}
    assert [entry.id for entry in plan] == list(range(6))
    assert len({entry.file for entry in plan}) == 6


def test_a_long_plan_is_not_held_in_memory():
    plan = SamplePlan(
        [str(i) for i in range(1000)], [], samples_per_prompt=1_000_000, seed=0, scale=1.0, unguided=False
    )
    assert len(plan) == 1_000_000_000
    assert plan[999_999_999].index == 999_999


@pytest.mark.parametrize(
    "prompts, count, message",
    [(["a", " "], 1, "prompt number 2 is empty"), (["a"], 0, "use 1 or more")],
)
def test_a_plan_of_nothing_is_refused(prompts: list[str], count: int, message: str):
    with pytest.raises(SDGError, match=message):
        SamplePlan(prompts, [], count, seed=0, scale=1.0)


def test_prompts_file(tmp_path: Path):
    path = tmp_path / "prompts.txt"
    path.write_text("# faces\na smiling face, with red hair\n\n  größe  \n", encoding="utf-8")
    assert read_prompts(path) == ["a smiling face, with red hair", "größe"]
    path.write_text("a hat\n", encoding="utf-8-sig")
    assert read_prompts(path) == ["a hat"]


@pytest.mark.parametrize(
    "content, message",
    [(None, "no prompts file"), (b"\n# x\n", "holds no prompts"), (b"\xff\xfe\x00", "UTF-8")],
)
def test_unusable_prompts_files(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "prompts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SDGError, match=message):
        read_prompts(path)
