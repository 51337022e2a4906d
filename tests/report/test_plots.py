"""Charts of measure against measure name their axes, hold every run that has both, and mark what is best."""

from typing import Any

import pytest

from sdg.report.runs import Column, Run
from sdg.report.scatter import scatter


def run(name: str, **measures: float) -> Run:
    cells = {
        measure: {"value": value, "count": 8, "interval": [value, value]}
        for measure, value in measures.items()
    }
    return Run(name, cells, dict.fromkeys(measures, "so"), {})


def chart(runs: list[Run], x: str, y: str) -> dict[str, Any] | None:
    return scatter(runs, Column(x, "so", f"{x} & co"), Column(y, "so", f"<{y}>"))


RUNS = [run("low", gain=1.0, cost=10.0), run("middle", gain=2.0, cost=30.0), run("high", gain=3.0, cost=20.0)]


def test_every_run_is_a_point_with_its_numbers() -> None:
    told = chart(RUNS, "gain", "cost")
    assert told is not None
    assert (told["title"], told["x"], told["y"]) == ("<cost> against gain & co", "gain & co", "<cost>")
    best, others = told["dots"]
    assert (others["x"], others["y"], others["text"]) == ([1], [10], ["low: 1 (1 … 1), 10 (10 … 10)"])
    assert [text.partition(":")[0] for text in best["text"]] == ["middle", "high"]


@pytest.mark.parametrize(
    "measure, best",
    [
        ("cost", ["middle", "high"]),
        *((least, ["low", "high"]) for least in ("fd_judge", "kid", "md_clip", "drift", "gap_judge")),
    ],
)
def test_best_is_most_or_least_as_the_measure_wants_and_a_line_joins_the_best(
    measure: str, best: list[str]
) -> None:
    runs = [
        run(r.name, **{"gain": r.measures["gain"]["value"], measure: r.measures["cost"]["value"]})
        for r in RUNS
    ]
    told = chart(runs, "gain", measure)
    assert told is not None
    marked, _ = told["dots"]
    assert [text.partition(":")[0] for text in marked["text"]] == best
    (line,) = told["lines"]
    assert (line["x"], line["y"]) == (marked["x"], marked["y"])
    assert line["x"] == sorted(line["x"])


def test_runs_without_one_of_the_measures_are_left_out() -> None:
    other = Run(
        "other", {"gain": {"value": 9.0, "count": 1}, "cost": {"value": 9.0, "count": 1}}, {"gain": "so"}, {}
    )
    runs = [*RUNS[:2], run("poor", gain=2.0), other]  # the last one's cost is of another protocol
    told = chart(runs, "gain", "cost")
    assert told is not None
    assert sorted(x for dots in told["dots"] for x in dots["x"]) == [1, 2]
    assert chart(runs, "gain", "none") is None
