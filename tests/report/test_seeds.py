"""Means over seeds, and Student's t."""

import pytest
from scipy.stats import t as student

from sdg.report.runs import Run
from sdg.report.seeds import over_seeds, repeated, strangers


def seeds(values: list[float]) -> list[Run]:
    cells = [{"score": {"value": value, "count": 4}} for value in values]
    return [Run(f"r{i}", each, {"score": "so"}, {"seed": str(i)}) for i, each in enumerate(cells)]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 30, 200])
def test_the_interval_of_a_mean_is_students(count: int) -> None:
    """Of the numbers 1, 0, 1, 0, …; the quantiles are scipy's."""
    values = [float(i % 2 == 0) for i in range(count)]
    (mean,) = over_seeds(seeds(values))
    middle = sum(values) / count
    deviation = (sum((value - middle) ** 2 for value in values) / (count - 1)) ** 0.5
    reach = student.ppf(0.975, count - 1) * deviation / count**0.5
    score = mean.measures["score"]
    low, high = score["interval"]
    assert (score["value"], score["count"]) == (pytest.approx(middle), count)
    assert (low + high) / 2 == pytest.approx(middle)
    assert (high - low) / 2 == pytest.approx(reach, rel=1e-4)


def test_equal_values_are_no_certainty() -> None:
    (mean,) = over_seeds(seeds([0.1, 0.1 + 1e-16, 0.1]))
    assert mean.measures["score"] == {"value": pytest.approx(0.1), "count": 3}


def test_only_runs_that_differ_in_their_seed_alone_are_averaged() -> None:
    one, two = seeds([1.0, 3.0])
    other = Run("other", one.measures, one.protocols, {"seed": "2", "scale": "9"})
    strange = Run("strange", one.measures, {"score": "another way"}, {"seed": "3"})
    unknown = Run("unknown", one.measures, one.protocols, {})
    (mean,) = over_seeds([one, other, two, unknown])
    assert mean.name == "mean of 2 seeds: r0, r1"
    assert mean.measures["score"]["value"] == 2
    (mean,) = over_seeds([one, two, strange])
    assert mean.measures == {}


def test_one_seed_twice_is_one_draw_and_other_weights_are_another_thing() -> None:
    one, two = seeds([1.0, 3.0])
    again = Run("again", one.measures, one.protocols, one.settings)
    assert over_seeds([one, again]) == []
    assert repeated([one, two, again]) == [(again, one)]
    (mean,) = over_seeds([one, again, two])
    assert mean.name == "mean of 2 seeds: r0, r1"
    trained_on = Run("other weights", two.measures, two.protocols, two.settings, ("ab12  prior",))
    assert over_seeds([one, trained_on]) == []
    assert repeated([one, trained_on]) == []
    assert strangers([one, two, trained_on]) == [(trained_on, one)]
    assert strangers([one, again, two]) == []
