"""A search goes on after an interruption as if there had been none, and keeps what it should keep."""

from pathlib import Path

import pytest

from sdg.errors import SDGError
from sdg.sweep.study import Outcome, Settings, Study

SPACE = {
    "scale": {"low": 1.0, "high": 1000.0, "log": True},
    "steps": {"low": 10, "high": 50, "step": 10},
    "rule": {"choices": ["ddpm", "ddim"]},
}


def measure(settings: Settings) -> Outcome:
    """A larger scale is better, but costs spread."""
    return Outcome(settings["scale"] + settings["steps"], {"spread": settings["scale"] / 1000 - 0.2})


def run(path: Path, count: int, evaluate=measure) -> list[dict]:
    return [trial.params for trial in Study(path, SPACE, "maximize").run(count, evaluate)]


class Killed(BaseException):
    """Stands for SIGKILL in the middle of a trial."""


@pytest.mark.parametrize("at", [0, 3, 7])
def test_interrupted_equals_undisturbed(tmp_path: Path, at: int):
    whole = run(tmp_path / "whole", 10)
    calls = []

    def dying(settings: Settings) -> Outcome:
        calls.append(dict(settings))
        if len(calls) == at + 1:
            raise Killed
        return measure(settings)

    with pytest.raises(Killed):
        run(tmp_path / "killed", 10, dying)
    rest = run(tmp_path / "killed", 10)
    assert calls == whole[: at + 1]
    assert rest == whole[at:]
    assert run(tmp_path / "killed", 10) == []
    assert len({str(params) for params in whole}) == 10


def test_killed_before_it_was_settled_what_to_try(tmp_path: Path):
    whole = run(tmp_path / "whole", 8)
    first = run(tmp_path / "killed", 3)
    Study(tmp_path / "killed", SPACE, "maximize")._study.ask()
    assert first + run(tmp_path / "killed", 8) == whole


def test_settings_stay_in_their_space(tmp_path: Path):
    tried = run(tmp_path / "study", 12)
    assert all(1 <= params["scale"] <= 1000 for params in tried)
    assert {type(params["steps"]) for params in tried} == {int}
    assert {params["steps"] for params in tried} <= {10, 20, 30, 40, 50}
    assert {params["rule"] for params in tried} == {"ddpm", "ddim"}


def test_the_best_keeps_what_is_to_be_kept_and_the_search_draws_near(tmp_path: Path):
    """Scales up to 200 are feasible; 30 random trials would find one of them above 150 in 70 % of cases."""
    study = Study(tmp_path / "study", SPACE, "maximize")
    trials = list(study.run(30, measure))
    best = study.best()
    assert 150 < best.params["scale"] <= 200
    assert max(trial.value or 0 for trial in trials) > (best.value or 0)  # others are better, but too narrow


def test_no_trial_that_keeps_it_is_told(tmp_path: Path):
    study = Study(tmp_path / "study", SPACE, "minimize")
    list(study.run(2, lambda settings: Outcome(1.0, {"spread": 0.1})))
    with pytest.raises(SDGError, match="none of 2 trials keeps"):
        study.best()


def test_a_failed_trial_is_passed_over(tmp_path: Path):
    study, calls = Study(tmp_path / "study", SPACE, "minimize"), []

    def failing(settings: Settings) -> Outcome:
        calls.append(settings)
        if len(calls) == 2:
            raise SDGError("too large")
        return Outcome(len(calls), {})

    trials = list(study.run(3, failing))
    assert [trial.user_attrs.get("error") for trial in trials] == [None, "too large", None]
    assert study.best().value == 1


@pytest.mark.parametrize("given", [{"low": 1}, {"low": 3, "high": 1}, {"low": 0.0, "high": 1.0, "log": True}])
def test_a_space_that_makes_no_sense_is_named(tmp_path: Path, given: dict):
    with pytest.raises(SDGError, match="the space of scale makes no sense"):
        Study(tmp_path / "study", {"scale": given}, "maximize")


def test_an_empty_space_is_refused(tmp_path: Path):
    with pytest.raises(SDGError, match="space names nothing to search"):
        Study(tmp_path / "log", {}, "maximize")


def test_another_space_is_refused(tmp_path: Path):
    run(tmp_path / "study", 1)
    with pytest.raises(SDGError, match="searches other settings"):
        Study(tmp_path / "study", {"scale": SPACE["scale"]}, "maximize")
