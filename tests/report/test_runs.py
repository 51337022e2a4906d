"""Runs stand in one table, each number with its interval, and never beside one of another protocol."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from sdg.errors import SDGError
from sdg.report.__main__ import main
from sdg.report.runs import Run, as_csv, as_markdown, find_runs, list_columns
from sdg.report.runs_page import as_page, sort_places
from sdg.report.scatter import pareto


def write(folder: Path, measures: dict[str, dict], **protocols: str) -> None:
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"measures": measures, "protocols": protocols}))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    fid = {"value": 12.3456, "count": 5000}
    write(tmp_path / "a", {"fid": fid, "prdc/recall": {"value": 0.5, "count": 9}}, fid="of A", prdc="k = 3")
    score = {"value": 0.25, "count": 7, "interval": [0.2, 0.3]}
    write(
        tmp_path / "deep" / "b", {"fid": {"value": 3.0, "count": 9}, "score": score}, fid="of B", score="mean"
    )
    write(tmp_path / "c", {"fid": {"value": 8.0, "count": 10}}, fid="of A")
    return tmp_path


def test_numbers_of_different_protocols_have_columns_of_their_own(runs: Path) -> None:
    found = find_runs([runs])
    assert [run.name for run in found] == ["a", "c", "deep/b"]
    lines = as_markdown(found, list_columns(found)).splitlines()
    assert lines[0] == "| run | fid [1] | fid [2] | prdc/recall | score |"
    assert lines[2:5] == [
        "| a | 12.3 | – | 0.5 | – |",
        "| c | 8 | – | – | – |",
        "| deep/b | – | 3 | – | 0.25 (0.2 … 0.3) |",
    ]
    assert lines[6:] == [
        "- **fid [1]**: of A",
        "- **fid [2]**: of B",
        "- **prdc**: k = 3",
        "- **score**: mean",
    ]


def test_the_csv_keeps_every_digit(runs: Path) -> None:
    found = find_runs([runs])
    rows = list(csv.DictReader(io.StringIO(as_csv(found, list_columns(found)))))
    assert rows[0]["fid [1]"] == "12.3456"
    assert (rows[0]["fid [1] low"], rows[0]["fid [1] n"], rows[0]["fid [2]"]) == ("", "5000", "")
    assert [rows[2][f"score{part}"] for part in ("", " low", " high", " n")] == ["0.25", "0.2", "0.3", "7"]


def test_the_command_prints_writes_and_picks(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        ["runs", str(runs / "a"), str(runs / "c"), "--measures", "fid", "prdc/*", "--out", str(runs / "out")]
    )
    printed = capsys.readouterr().out
    assert printed.startswith("| run | fid | prdc/recall |\n")
    assert "| a | 12.3 | 0.5 |\n| c | 8 | – |\n" in printed
    assert (runs / "out" / "runs.md").read_text() == printed
    assert (runs / "out" / "runs.csv").read_text().startswith("run,fid,fid low,fid high,fid n,prdc/recall")


def sweep(folder: Path) -> Path:
    """Two scales, two seeds of each; one run has not measured the spread."""
    for scale, seed, aligned, spread in (
        (20, 0, 0.4, 0.9),
        (20, 1, 0.6, 1.1),
        (80, 0, 0.9, 0.5),
        (80, 1, 0.8, None),
    ):
        measures = {"alignment/mentioned": {"value": aligned, "count": 8}}
        if spread is not None:
            measures["spread/all"] = {"value": spread, "count": 8}
        run = folder / f"{scale}_{seed}"
        write(run, measures, alignment="by the judge", spread="by the judge")
        settings = {
            "guidance": {"scale": scale},
            "seed": seed,
            "prompts": ["a face"],
            "contents": {"a": f"{run}"},
        }
        (run / "config.yaml").write_text(json.dumps(settings))
    return folder


def test_settings_that_differ_have_columns_and_seeds_have_means(tmp_path: Path) -> None:
    main(["runs", str(sweep(tmp_path / "runs")), "--out", str(tmp_path / "out")])
    text = (tmp_path / "out" / "runs.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0])[:4] == ["run", "guidance.scale", "seed", "alignment/mentioned"]
    assert [(row["guidance.scale"], row["seed"]) for row in rows] == [
        *(("20", "0"), ("20", "1"), ("80", "0"), ("80", "1")),
        *(("20", ""), ("80", "")),
    ]
    mean = rows[4]
    assert mean["run"] == "mean of 2 seeds: 20_0, 20_1"
    assert float(mean["alignment/mentioned"]) == pytest.approx(0.5)
    # Of two numbers 0.2 apart the standard error is 0.1, and t of one degree of freedom 12.7062.
    assert float(mean["alignment/mentioned high"]) == pytest.approx(0.5 + 1.27062)
    assert mean["alignment/mentioned n"] == "2"
    assert rows[5]["spread/all"] == ""  # one of its seeds has none


def test_the_page_sorts_and_sets_measures_against_each_other(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "runs")
    main(["runs", str(folder), "--out", str(tmp_path / "out")])
    file = tmp_path / "out" / "runs.html"
    page = file.read_text(encoding="utf-8")
    assert page.count("<tr>") == 7
    assert '<td data-place="6">0.9</td>' in page  # the largest of six different alignments
    assert '<td data-place="0">–</td>' in page
    assert "spread/all against alignment/mentioned" in page
    (told,) = re.findall('<script type="application/json">(.*?)</script>', page)
    (chart,) = json.loads(told)
    assert [len(dots["x"]) for dots in chart["dots"]] == [2, 2]  # 20_1 and 80_0, the best; 20_0, and a mean
    assert (tmp_path / "out" / "charts.js").stat().st_size > 1e6
    main(["runs", str(folder), "--out", str(tmp_path / "out"), "--plot", "spread/all", "alignment/mentioned"])
    assert "alignment/mentioned against spread/all" in (tmp_path / "out" / "runs.html").read_text(
        encoding="utf-8"
    )
    with pytest.raises(
        SystemExit, match="--plot fid: no run has that measure; choose among alignment/mentioned"
    ):
        main(["runs", str(folder), "--plot", "fid", "spread/all"])


def cells(page: str) -> list[list[tuple[str, str]]]:
    """(place, text) of every cell of a page's table, row by row."""
    body = page.split("<tbody>")[1].split("</tbody>", maxsplit=1)[0]
    return [
        re.findall(r'<td data-place="(\d+)">(.*?)</td>', row)
        for row in re.findall("<tr>(.*?)</tr>", body, re.S)
    ]


def test_a_row_of_the_page_has_name_settings_and_measures_under_their_titles(tmp_path: Path) -> None:
    long = "a face with " + "very " * 20 + "red hair"
    for name, prompt, score in (("one", "<b>bold</b>", 0.5), ("two", long, 0.25)):
        write(tmp_path / name, {"score": {"value": score, "count": 4, "interval": [0.1, 0.9]}}, score="a & b")
        (tmp_path / name / "config.yaml").write_text(json.dumps({"prompt": prompt}))
    found = find_runs([tmp_path])
    page = as_page(found, list_columns(found), [])
    assert re.findall("<th>(.*?)</th>", page) == ["run", "prompt", "score"]
    assert cells(page) == [
        [("1", "one"), ("1", "&lt;b&gt;bold&lt;/b&gt;"), ("2", "0.5 (0.1 … 0.9)")],
        [("2", "two"), ("2", f"{long[:47]}…"), ("1", "0.25 (0.1 … 0.9)")],
    ]
    assert "<h1>2 rows</h1>" in page
    assert "<li><b>score</b>: a &amp; b</li>" in page


def test_a_page_leads_to_those_of_its_runs_if_it_is_known_where_it_will_be(tmp_path: Path) -> None:
    place = tmp_path / "runs" / "one"
    place.mkdir(parents=True)
    (place / "index.html").touch()
    runs = [Run("one", {}, {}, {}, folder=place), Run("two", {}, {}, {})]
    assert "<a href" not in as_page(runs, [], [])
    page = as_page(runs, [], [], tmp_path / "table")
    assert page.count("<a href") == 1
    assert '<a href="../runs/one/index.html">one</a>' in page


def test_a_column_is_sorted_by_size_or_by_name_and_what_is_missing_has_no_place() -> None:
    assert sort_places(["10", "9", "", "-1e3", "9"]) == [3, 2, 0, 1, 2]
    assert sort_places(["b", "10", "A", "9", ""]) == [
        4,
        1,
        3,
        2,
        0,
    ]  # not all are numbers: "10" is before "9"


def test_the_pages_script_sorts_by_place_turns_at_the_next_click_and_keeps_the_missing_last() -> None:
    """It is too short to go wrong in many ways; these are the lines that decide."""
    page = as_page([Run("one", {}, {}, {})], [], [])
    for line in (
        'head.dataset.turn = head.dataset.turn === "1" ? "-1" : "1";',
        "const place = row => Number(row.cells[column].dataset.place);",
        "const order = (a, b) => !a - !b || turn * (a - b);",
        "body.append(...[...body.rows].sort((a, b) => order(place(a), place(b))));",
    ):
        assert line in page


def test_bars_inside_a_cell_do_not_end_it(tmp_path: Path) -> None:
    for name, prompt in (("one", "a hat | glasses:-0.5"), ("two", "a hat")):
        write(tmp_path / name, {"score/a|b": {"value": 1.0, "count": 4}}, score="mean")
        (tmp_path / name / "config.yaml").write_text(json.dumps({"prompt": prompt}))
    found = find_runs([tmp_path])
    lines = as_markdown(found, list_columns(found)).splitlines()
    assert lines[:4] == [
        r"| run | prompt | score/a\|b |",
        "|---|---|---|",
        r"| one | a hat \| glasses:-0.5 | 1 |",
        "| two | a hat | 1 |",
    ]


def test_the_best_compromises() -> None:
    assert pareto([(1, 1), (2, 0), (0, 2), (0.5, 0.5), (2, 0)]) == {0, 1, 2, 4}
    assert pareto([(-3, 1), (-2, 1)]) == {1}  # less is better: the sign is turned


def test_bad_input_is_one_line(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="no measure is like alignment/x: leave --measures out"):
        list_columns(find_runs([runs]), ["alignment/x"])
    with pytest.raises(SystemExit, match=r"^error: no metrics\.json below .*nowhere: run evaluate\.py"):
        main(["runs", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="choose another --out"):
        main(["runs", str(runs), "--out", str(runs / "a" / "metrics.json")])
    for broken in ('{"measures": {', "[]", '{"measures": {"fid": 3}, "protocols": {}}'):
        (runs / "a" / "metrics.json").write_text(broken)
        with pytest.raises(SDGError, match=r"metrics\.json is not what evaluate\.py writes"):
            find_runs([runs])
