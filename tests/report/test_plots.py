"""Plots are the right way up, name their axes, and mark what is best."""

import re

import pytest

from sdg.report.curves import draw_curves
from sdg.report.runs import Column, Run
from sdg.report.scatter import draw_scatter


def run(name: str, **measures: float) -> Run:
    cells = {
        measure: {"value": value, "count": 8, "interval": [value, value]}
        for measure, value in measures.items()
    }
    return Run(name, cells, dict.fromkeys(measures, "so"), {})


def scatter(runs: list[Run], x: str, y: str) -> str:
    return draw_scatter(runs, Column(x, "so", f"{x} & co"), Column(y, "so", f"<{y}>"))


def dots(svg: str) -> dict[str, tuple[float, float, bool]]:
    """Left, top and whether it is marked as best, of every dot by its run's name."""
    found = re.findall(r'cx="(.*?)" cy="(.*?)" r="5" fill="(.*?)"><title>(.*?): .*?</title>', svg)
    return {name: (float(left), float(top), fill == "#c2452d") for left, top, fill, name in found}


RUNS = [run("low", gain=1.0, cost=10.0), run("middle", gain=2.0, cost=30.0), run("high", gain=3.0, cost=20.0)]


def test_more_is_further_right_and_further_up_in_proportion() -> None:
    found = dots(scatter(RUNS, "gain", "cost"))
    (a, b, _), (c, d, _), (e, f, _) = (found[name] for name in ("low", "middle", "high"))
    assert a < c < e
    assert d < f < b  # a picture's rows are counted downwards
    assert c - a == pytest.approx(e - c, abs=0.11)
    assert f - d == pytest.approx(b - f, abs=0.11)
    assert 70 < a < e < 520
    assert 12 < d < b < 314


def test_the_axes_are_named_and_begin_and_end_where_the_values_do() -> None:
    svg = scatter(RUNS, "gain", "cost")
    assert "<figcaption>&lt;cost&gt; against gain &amp; co; red: no run is better in both</figcaption>" in svg
    texts = re.findall(r'<text x="(\d+)" y="(\d+)" text-anchor="\w+">(.*?)</text>', svg)
    below, left = [text for text in texts if text[1] == "330"], [text for text in texts if text[0] == "64"]
    assert [(int(x), text) for x, _, text in below] == [(70, "1"), (520, "3")]
    assert sorted((int(y), text) for _, y, text in left) == [(20, "30"), (314, "10")]
    assert ("295", "350", "gain &amp; co") in texts
    assert re.search(r'rotate\(-90\)" text-anchor="middle">&lt;cost&gt;</text>', svg)
    assert "<title>low: 1 (1 … 1), 10 (10 … 10)</title>" in svg


@pytest.mark.parametrize(
    "measure, best",
    [("cost", {"middle", "high"}), ("fd_judge", {"low", "high"}), ("kid", {"low", "high"})],
)
def test_best_is_most_or_least_as_the_measure_wants_and_a_line_joins_the_best(
    measure: str, best: set[str]
) -> None:
    runs = [
        run(r.name, **{"gain": r.measures["gain"]["value"], measure: r.measures["cost"]["value"]})
        for r in RUNS
    ]
    svg = scatter(runs, "gain", measure)
    found = dots(svg)
    assert {name for name, (_, _, marked) in found.items() if marked} == best
    (line,) = re.findall(r'<polyline points="(.*?)"', svg)
    in_order = sorted(found[name][:2] for name in best)
    assert line == " ".join(f"{left:.1f},{top:.1f}" for left, top in in_order)


def test_runs_without_one_of_the_measures_are_left_out() -> None:
    other = Run(
        "other", {"gain": {"value": 9.0, "count": 1}, "cost": {"value": 9.0, "count": 1}}, {"gain": "so"}, {}
    )
    runs = [*RUNS[:2], run("poor", gain=2.0), other]  # the last one's cost is of another protocol
    assert dots(scatter(runs, "gain", "cost")).keys() == {"low", "middle"}
    assert scatter(runs, "gain", "none").endswith("gain &amp; co: no run has both</figcaption></figure>")


def test_one_run_alone_is_in_the_middle() -> None:
    assert dots(scatter(RUNS[:1], "gain", "cost"))["low"] == (289.0, 163.0, True)


def curves(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'<polyline points="(.*?)" />', svg)
    return [[tuple(map(float, point.split(","))) for point in line.split()] for line in lines]  # type: ignore[misc]


def test_curves_run_from_left_to_right_with_the_largest_value_on_top() -> None:
    svg = draw_curves("a < b", [[0.0, 1.0, 4.0], [2.0, 2.0]])
    assert curves(svg) == [
        [(60.0, 76.0), (208.0, 58.0), (356.0, 4.0)],
        [(60.0, 40.0), (356.0, 40.0)],
    ]
    assert "<figcaption>a &lt; b, step by step</figcaption>" in svg
    assert re.findall(r'y="(\d+)" text-anchor="end".*?>(.*?)</text>', svg) == [("12", "4"), ("76", "0")]


def test_a_flat_curve_and_a_single_step_are_curves() -> None:
    assert curves(draw_curves("flat", [[3.0, 3.0]])) == [[(60.0, 4.0), (356.0, 4.0)]]
    assert curves(draw_curves("one", [[3.0]])) == [[(60.0, 4.0)]]
