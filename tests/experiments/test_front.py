"""The front: what arms cost, how they are paired and chosen, and the command on tiny networks."""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.front import __main__ as experiment
from experiments.front import mixture
from experiments.front import settle as settling
from experiments.front.arms import ARMS, FORWARD, MIDDLE, RUNGS, Way
from experiments.front.best import choose, front, undominated
from experiments.front.doses import DOSES, Doses
from experiments.front.strength import PROMPTS, Strengths
from experiments.grid import Point
from experiments.running import configuration
from experiments.samplers.study import POSTERIOR, PRIOR, closed_form
from experiments.samplers.study import measured as summary
from sdg.composition import CONF, ROOT
from sdg.config import build
from sdg.errors import SDGError
from sdg.estimators.sdg import SDG
from sdg.metrics.measure import Measure
from tests.estimators.test_estimators import STEP, counted
from tests.experiments.test_few_steps import tiny
from tests.tiny import make_weights


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_is_settings_that_are_read_and_a_price_that_its_estimator_asks(name: str) -> None:
    arm = ARMS[name]
    config = configuration("sample", arm.settings)
    assert all(OmegaConf.select(config, knob) > 0 for knob in arm.knobs)
    estimator = build(config.estimator)
    priced = arm.forwards, arm.pulls, arm.passes
    assert counted(estimator) == tuple(estimator.turns(STEP) * each for each in priced)
    assert (estimator.reads == "clean") == ("method.guide=encoder" in arm.words or arm.guide == "clip")
    assert estimator.pulls == bool(arm.pulls)
    assert ARMS[arm.like or name].like is None


def test_a_budget_pays_for_whole_steps() -> None:
    """20 forwards: 12 of 1 + 0.66, or 6 of 1 + 1.49 + 0.48."""
    assert (ARMS["sdg"].steps(20), ARMS["dps"].steps(20), ARMS["best_of_4"].steps(19)) == (12, 6, 0)


def test_a_quick_comparison_takes_no_more_than_eight_minutes_of_a_core() -> None:
    """By what forwards take, with three rounds in search of each strength, and two seconds a way to judge."""
    prompts, samples, _ = experiment.SIZES["quick"]
    budgets = experiment.parse(["quick"]).budgets
    ways = [(arm, n) for arm in ARMS.values() for budget in budgets if (n := arm.steps(budget))]
    drawn = sum(arm.price * n * (prompts * samples + 3 * PROMPTS) * FORWARD for arm, n in ways)
    assert drawn + 2 * len(ways) < 8 * 60


def test_all_arms_have_one_ladder_that_doubles() -> None:
    assert [b / a for a, b in pairwise(RUNGS)] == pytest.approx([2.0] * 4)
    assert RUNGS[2] == MIDDLE


def test_a_strength_is_found_by_multiplying_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pushes that grow a little less than their strength, ρ = 0.4 and μ = 0.02 as they are configured."""
    asked: list[float] = []

    def dose(self: Strengths, arm: str, steps: int, strength: list[str]) -> float:
        rho, mu = (float(word.partition("=")[2]) for word in strength)
        assert rho == pytest.approx(20 * mu, rel=1e-3)
        asked.append(rho)
        return 0.1 * float(rho) ** 0.9

    monkeypatch.setattr(Strengths, "dose", dose)
    options = argparse.Namespace(output=tmp_path, sample=[], seed=0)
    way = Strengths(options)("tfg", 5, 0.04)
    assert asked[0] == pytest.approx(0.04)
    rho = float(way.strength[0].removeprefix("estimator.rho="))
    assert 0.1 * rho**0.9 == pytest.approx(0.04, rel=0.05)
    count = len(asked)
    assert Strengths(options)("tfg", 5, 0.04) == way
    assert len(asked) == count


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["sdg", "dps"])
def test_a_strength_gives_the_dose_that_is_asked_for(arm: str, tmp_path: Path) -> None:
    sample = [*make_weights(tmp_path), "trainer.accelerator=cpu", "group=4"]
    options = argparse.Namespace(output=tmp_path / "output", sample=sample, seed=0)
    strengths = Strengths(options)
    # Networks of random weights are soon led astray.
    way = strengths(arm, 3, 0.001)
    assert strengths.dose(arm, 3, [*way.strength]) == pytest.approx(0.001, rel=0.05)
    assert way.settings[-2:] == ["sampler.steps=3", way.strength[0]]
    assert way.strength[0].startswith(f"{ARMS[arm].knobs[0]}=")


def test_what_was_chosen_stands_for_its_budget_and_rule(tmp_path: Path) -> None:
    file = tmp_path / "doses.json"
    Doses(file).keep(20, {"sdg": Way("sdg", 12, 0.08, ("guidance.scale=800",))})
    Doses(file).keep(40, {"dps": Way("dps", 13, 0.02, ("estimator.strength=0.1",))})
    found = Doses(file)
    assert (found(20, "sdg"), found(40, "dps"), found(20, "dps")) == (0.08, 0.02, MIDDLE)
    assert (found(40, "sdg"), found(320, "dps")) == (0.08, 0.02)  # of the nearest budget below
    file.write_text(file.read_text().replace("tears least", "is prettiest"))
    with pytest.raises(SDGError, match="chosen by another rule: write it anew with sweep"):
        Doses(file)
    file.write_text('{"sdg": 200}')
    with pytest.raises(SDGError, match="does not hold doses of arms"):
        Doses(file)


BUDGET = 20
"""Of README's table."""


def test_an_arm_that_takes_anothers_dose_takes_its_strength_at_that_ones_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strengths, "dose", lambda self, arm, steps, words: steps * float(words[0][15:]) / 1e4)
    doses = Doses(tmp_path / "doses.json")
    doses.keep(20, {"sdg": Way("sdg", 12, 0.02, ())})
    strengths = Strengths(argparse.Namespace(output=tmp_path, sample=[], seed=0))
    taken = experiment._way("best_of_4", 3, 20, doses, strengths)
    assert taken == Way("best_of_4", 3, 0.02, ("guidance.scale=16.67",))
    assert experiment._way("sdg", 12, 20, doses, strengths).strength == taken.strength


NAMES = ("torn/right", "spread/all", "drift/all", "torn")


def point(way: Way, right: float, spread: float = 1.0, drift: float = 0.0, away: float = 0.0) -> Point[Way]:
    values = zip(NAMES, (right, spread, drift, away), strict=True)
    return Point(way, {name: Measure(name, value, 1) for name, value in values})


def test_on_the_front_is_what_nothing_cheaper_matches() -> None:
    found = {10: 0.5, 5: 0.4, 20: 0.5, 21: 0.9}
    measured = [point(Way("sdg", steps, 1.0, ()), right) for steps, right in found.items()]
    assert [p.way.steps for p in front(measured)] == [5, 10, 21]


def test_the_dose_tears_least_of_those_that_are_read_as_well() -> None:
    """The strongest is read best, by a little, but tears pictures; a narrow one has no spread."""
    doses = {1.0: (0.5, 0.9, 0.0, 80.0), 2.0: (0.90, 0.9, 0.0, 10.0), 4.0: (0.93, 0.85, 0.0, 60.0)}
    points = [point(Way("sdg", 20, dose, ()), *rest) for dose, rest in doses.items()]
    assert choose(points).way.dose == 2.0
    narrow = point(Way("sdg", 20, 8.0, ()), 1.0, 0.5, 0.0, 1.0)
    assert choose([*points, narrow]).way.dose == 2.0
    assert choose([narrow]) is narrow


def test_what_another_matches_in_everything_is_dominated() -> None:
    found = [point(Way(name, 1, 1.0, ()), 0.9, 1.0, drift, away) for name, drift, away in (
        ("sdg", 0.2, 10.0), ("dps", 0.2, 11.0), ("lgd", 0.1, 90.0), ("tfg", 0.2, 10.0),
    )]  # fmt: skip
    assert [p.way.arm for p in undominated(found)] == ["sdg", "lgd", "tfg"]


def test_configured_strengths_are_written_by_the_command_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "estimator").mkdir(parents=True)
    for name in ("dps", "tfg"):
        text = (CONF / "estimator" / f"{name}.yaml").read_text()
        (tmp_path / "conf" / "estimator" / f"{name}.yaml").write_text(text)
    doses = Doses(tmp_path / "doses.json")
    monkeypatch.setattr(settling, "DOSES", doses.file)
    monkeypatch.setattr(settling, "CONF", tmp_path / "conf")
    monkeypatch.setattr(Strengths, "dose", lambda self, arm, steps, words: float(words[0].split("=")[1]))
    arguments = ["settle", "--output", str(tmp_path / "output")]
    with pytest.raises(SDGError, match="has chosen nothing for any estimator: run sweep first"):
        experiment.main(arguments)
    doses.keep(20, {"dps": Way("dps", 6, 0.02, ()), "tfg": Way("tfg", 5, 0.04, ())})
    doses.keep(40, {"dps": Way("dps", 13, 0.08, ())})
    experiment.main(arguments)
    assert Doses(doses.file).settled == {
        "dps": ["estimator.strength=0.08"],
        "tfg": ["estimator.rho=0.04", "estimator.mu=0.002"],
    }
    for name, values in (("dps", {"strength": 0.08}), ("tfg", {"rho": 0.04, "mu": 0.002})):
        before = (CONF / "estimator" / f"{name}.yaml").read_text().splitlines()
        after = (tmp_path / "conf" / "estimator" / f"{name}.yaml").read_text().splitlines()
        changed = [line for line, old in zip(after, before, strict=True) if line != old]
        assert [line.split("#")[0].strip() for line in changed] == [f"{k}: {v}" for k, v in values.items()]


def test_the_estimators_have_the_strengths_that_were_settled() -> None:
    for name, words in Doses(DOSES).settled.items():
        config = configuration("sample", [f"estimator={name}"])
        for key, value in (word.split("=") for word in words):
            assert OmegaConf.select(config, key) == float(value)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["quick", "--samples", "1"], "use --samples from 2"),
        (["quick", "--budgets", "1"], "no arm has three steps at these budgets"),
    ],
)
def test_a_mistake_is_told_and_nothing_drawn(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SDGError, match=message):
        experiment.main([*arguments, "--output", str(tmp_path / "output")])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_smallest_comparison_is_swept_drawn_judged_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = ["--prompts", "2", "--samples", "2", "--arms", "sdg", "best_of_4", "mpgd", "--budgets", "20"]
    monkeypatch.setattr(experiment, "DOSES", tmp_path / "report" / "doses.json")
    monkeypatch.setattr(experiment, "RUNGS", RUNGS[1:3])
    rest = [word for word in tiny(tmp_path) if word != "group=2"]
    # A judge of random weights reads no nuisance well.
    rest += ["metrics.spread.renders=16", "metrics.spread.trusted=1e9"]
    # Each study has a folder of its own by default, too: their noises differ.
    experiment.main(["sweep", *sizes, *rest, "--output", str(tmp_path / "swept")])
    chosen = json.loads((tmp_path / "report" / "doses.json").read_text())["chosen"]["20"]
    assert chosen.keys() == {"sdg", "mpgd"}
    assert (tmp_path / "report" / "sweep.md").read_text().count(" | yes |") == 2
    experiment.main(["quick", *sizes, *rest])
    text = (tmp_path / "report" / "results.md").read_text()
    (own, taken) = (
        next(line.split(" | ")[2] for line in text.splitlines() if line.startswith(f"| {name} |"))
        for name in ("sdg", "best_of_4")
    )
    assert own == taken
    assert (tmp_path / "report" / "front.png").exists()
    assert (tmp_path / "report" / "pictures.png").exists()


FOLDER = ROOT / "experiments" / "front"
FORMS = {"torn": ".1f", "distance": ".0f"}
"""Of numbers in README's table; others have two digits."""


def cited(page: str, budget: float) -> list[str]:
    """The rows of README's table: every arm of the page at one budget, without intervals."""
    rows, guide, at, titles = list[str](), "", "", list[str]()
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("## "):
            guide = "encoder" if "encoder" in line else "CLIP"
        elif line.startswith("### "):
            at = line.split()[1]
        elif line.startswith("| arm |"):
            titles = cells
        elif line.startswith("| ") and at == f"{budget:g}" and len(cells) == len(titles):
            own = dict(zip(titles, cells, strict=True))
            measures = ("right, not torn", "torn", "drift", "spread", "distance")
            values = [format(float(own[name].split()[0]), FORMS.get(name, ".2f")) for name in measures]
            rows.append(
                "| " + " | ".join([f"`{own['arm']}`", guide, own["steps"], own["cost"], *values]) + " |"
            )
    return rows


def test_the_readme_shows_the_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    (first,) = (n for n, line in enumerate(readme) if line.startswith("| way | guide |"))
    rows = cited((FOLDER / "results.md").read_text("utf-8"), BUDGET)
    assert len(rows) > 15
    assert readme[first + 2 : first + 3 + len(rows)] == [*rows, ""]
    assert f"at equal cost: {BUDGET} forwards of the prior" in " ".join(readme)


def test_the_exact_guide_leaves_little_of_the_way_to_the_tilted_distribution() -> None:
    """The prior is 0.44 away in its mean; 3200 pixels have a standard error of 0.008."""
    error = summary(mixture.drawn(SDG(), 200, 0)).minus(closed_form(POSTERIOR))
    assert abs(error.mean) < 0.06
    assert error.misplaced < 0.06
    assert closed_form(PRIOR).minus(closed_form(POSTERIOR)).mean < -0.4
