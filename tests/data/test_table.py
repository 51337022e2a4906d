"""Tables of every kind give the same rows, and rows find their pictures."""

import json
from pathlib import Path

import pytest

from sdg.data.table import find_table, match_rows, read_table
from sdg.errors import SDGError

ROWS = [{"file": "a/1.png", "age": "50", "said": 'a "man", old'}, {"file": "2.png", "age": "", "said": "顔"}]
CSV = 'file,age,said\na/1.png,50,"a ""man"", old"\n2.png,,顔\n'


@pytest.mark.parametrize(
    "name, text",
    [
        ("t.csv", CSV),
        ("t.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("t.TSV", 'file\tage\tsaid\na/1.png\t50\t"a ""man"", old"\n2.png\t\t顔\n'),
        ("t.jsonl", "\n\n".join(map(json.dumps, ROWS)) + "\n"),
        ("t.json", json.dumps(ROWS, ensure_ascii=False)),
        ("t.json", json.dumps({row["file"]: {k: row[k] for k in ("age", "said")} for row in ROWS})),
    ],
)
def test_a_table_gives_its_rows_by_picture(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_bytes(text.encode())
    assert read_table(tmp_path / name, "file") == {"a/1.png": [ROWS[0]], "2.png": [ROWS[1]]}


def test_a_picture_may_have_several_rows(tmp_path: Path):
    (tmp_path / "t.csv").write_text("file,caption\n1.png,a\n2.png,b\n./1.png,c\n")
    table = read_table(tmp_path / "t.csv", "file")
    assert [row["caption"] for row in table["1.png"]] == ["a", "c"]


def test_a_name_is_the_end_of_a_path():
    table = {name: [{"file": name}] for name in ("images/00000/1.png", "2", "00000/3", "4.png")}
    pictures = ["images/00000/1.png", "images/00000/2.png", "images/00000/3.png", "thumbs/12.png"]
    found, missing = match_rows(table, pictures)
    assert [[row["file"] for row in rows] for rows in found] == [
        ["images/00000/1.png"],
        ["2"],
        ["00000/3"],
        [],
    ]
    assert missing == ["4.png"]


def test_a_name_of_several_pictures_is_refused():
    with pytest.raises(SDGError, match=r"the table's 1\.png may be a/1\.png and b/1\.png: put more"):
        match_rows({"1.png": [{}]}, ["a/1.png", "b/1.png"])
    found, _ = match_rows({"b/1.png": [{"is": "b"}]}, ["a/1.png", "b/1.png"])
    assert found == [[], [{"is": "b"}]]


@pytest.mark.parametrize(
    "name, text, complaint",
    [
        ("t.csv", "name,age\n1.png,3\n", r"has no column file \(but name, age\): data\.file"),
        ("t.csv", "file,age\n1.png,3\n,4\n", r"line 3 of .*t\.csv names no picture"),
        ("t.csv", "file,age\n1.png,3,4\n", r"line 2 of .*t\.csv has more cells than the head"),
        ("t.csv", "file,age\n", "has no rows"),
        ("t.csv", "", "has no rows"),
        ("t.csv", 'file,age\n1.png,"3\n', r"t\.csv cannot be read"),
        ("t.csv", b"file,age\n1.png,\xe4\n", "is not UTF-8"),
        ("t.jsonl", '{"file": "1.png"}\n{"file"\n', r"t\.jsonl cannot be read"),
        ("t.jsonl", '{"file": "1.png"}\n["2.png"]\n', r"line 2 of .*t\.jsonl is not like"),
        ("t.json", '"1.png"', r"is not like|cannot be read"),
        ("t.json", '{"1.png": "a face"}', r"t\.json cannot be read"),
        ("t.json", "3", r"t\.json cannot be read"),
        ("t.txt", "file\n1.png\n", r"t\.txt is no table: use one of \.csv, \.tsv, \.jsonl, \.json"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_in_one_line(
    tmp_path: Path, name: str, text: str | bytes, complaint: str
):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SDGError, match=complaint) as caught:
        read_table(tmp_path / name, "file")
    assert "\n" not in str(caught.value)


def test_a_table_is_found_in_or_beside_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set.zip").touch()
    (tmp_path / "beside.csv").touch()
    (tmp_path / "set" / "in.csv").touch()
    assert find_table("in.csv", tmp_path / "set") == tmp_path / "set" / "in.csv"
    assert find_table("beside.csv", tmp_path / "set") == tmp_path / "beside.csv"
    assert find_table("beside.csv", tmp_path / "set.zip") == tmp_path / "beside.csv"
    assert find_table("in.csv", Path("elsewhere"), tmp_path / "set") == tmp_path / "set" / "in.csv"
    assert find_table(tmp_path / "beside.csv", Path("elsewhere")) == tmp_path / "beside.csv"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set" / "beside.csv").touch()  # the set's own goes before one where the command is given
    assert find_table("beside.csv", tmp_path / "set") == tmp_path / "set" / "beside.csv"
    with pytest.raises(SDGError, match=r"none\.csv is not there, nor in or beside .*data\.table=PATH"):
        find_table("none.csv", tmp_path / "set")
