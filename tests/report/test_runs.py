"""Runs stand in one table, each number with its interval, and never beside one of another protocol."""

import csv
import io
import json
from pathlib import Path

import pytest

from sdg.errors import SDGError
from sdg.report.__main__ import main
from sdg.report.runs import as_csv, as_markdown, find_runs, list_columns


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
