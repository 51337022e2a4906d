"""The page shows every picture, the unguided one of the same noise beside it, and trusts no prompt."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdg.report import page as module
from sdg.report.grid import draw_grid
from sdg.report.page import write_page
from sdg.report.record import label
from sdg.report.traces import trace_bytes


def test_each_guided_picture_stands_beside_its_own_unguided_one(tmp_path: Path):
    records = []
    for i, (prompt, index) in enumerate([(None, 0), (None, 1), ("<b>red</b>", 0), ("<b>red</b>", 1)]):
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(tmp_path / f"{i}.png")
        records.append(
            {
                "prompt": prompt,
                "seed": 0,
                "index": index,
                "file": f"{i}.png",
                "scores": {"text": 0.5} if prompt else {},
                "scale": 1.0 if prompt else 0.0,
                "reference": None,
            }
        )
    page = write_page(tmp_path, records, title="a & b").read_text()
    assert "a &amp; b" in page
    assert "<b>red</b>" not in page
    first, second = page.index("2.png"), page.index("3.png")
    assert page.index("0.png") < first < page.index("1.png") < second
    with Image.open(tmp_path / "grid.png") as grid:
        colours = [colour for _, colour in grid.convert("RGB").getcolors(1 << 20)]
        assert {(0, 0, 0), (60, 0, 0), (120, 0, 0), (180, 0, 0)} <= set(colours)


def test_grid_places_rows_below_each_other():
    cells = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    grid = draw_grid([("one", cells[:1]), ("two", cells[1:])], cell=10)
    red = [y for y in range(grid.height) if (255, 0, 0) in {grid.getpixel((x, y)) for x in range(grid.width)}]
    blue = [
        y for y in range(grid.height) if (0, 0, 255) in {grid.getpixel((x, y)) for x in range(grid.width)}
    ]
    assert len(red) == len(blue) == 10
    assert max(red) < min(blue)


def sample(folder: Path, number: int, prompt: str | None, index: int, **more: Any) -> dict:
    """The record of a sample, and its picture, of a colour of its own."""
    Image.new("RGB", (8, 8), (10 * number, 0, 0)).save(folder / f"{number}.png")
    return {
        **{"prompt": prompt, "reference": None, "seed": 0, "index": index, "file": f"{number}.png"},
        **{"scores": {"text": 0.5} if prompt else {}, "scale": 1.0 if prompt else 0.0},
        **more,
    }


class Sheet:
    """What a grid was asked to show, in place of the grid: numbers of pictures, read off their colours."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, list[int]]] = []
        self.columns: list[str] = []
        self.layout: dict[str, int] = {}

    def __call__(
        self, rows: Sequence[tuple[str, Sequence[Image.Image]]], columns: Sequence[str], **layout: int
    ) -> Image.Image:
        self.rows = [(label, [image.getpixel((0, 0))[0] // 10 for image in images]) for label, images in rows]  # type: ignore[index, operator]
        self.columns, self.layout = list(columns), layout
        return Image.new("RGB", (1, 1))


@pytest.fixture
def sheet(monkeypatch: pytest.MonkeyPatch) -> Sheet:
    sheet = Sheet()
    monkeypatch.setattr(module, "draw_grid", sheet)
    return sheet


def test_the_grid_has_each_pair_under_its_words(tmp_path: Path, sheet: Sheet) -> None:
    records = [sample(tmp_path, i, None, i) for i in (0, 1)]
    records += [
        sample(tmp_path, 2 + 2 * p + i, prompt, i) for p, prompt in enumerate(("red", "blue")) for i in (0, 1)
    ]
    write_page(tmp_path, records, title="pairs")
    assert sheet.rows == [("red", [0, 2, 1, 3]), ("blue", [0, 4, 1, 5])]
    assert sheet.columns == ["unguided", "guided"] * 2
    assert sheet.layout == {"group": 2, "lead": 0}


def test_the_grid_begins_with_the_reference(tmp_path: Path, sheet: Sheet) -> None:
    Image.new("RGB", (8, 8), (90, 0, 0)).save(tmp_path / "copy.png")
    more = {"reference": "/somewhere/face.png", "reference_file": "copy.png", "scale": 1.0}
    records = [sample(tmp_path, 0, None, 0), sample(tmp_path, 1, None, 0, **more)]
    page = write_page(tmp_path, records, title="towards a picture").read_text()
    assert sheet.rows == [("face", [9, 0, 1])]
    assert sheet.columns == ["reference", "unguided", "guided"]
    assert sheet.layout == {"group": 2, "lead": 1}
    assert '<h2><img src="copy.png" alt="the reference">face</h2>' in page


def test_without_pairs_the_grid_says_what_all_of_them_are(tmp_path: Path, sheet: Sheet) -> None:
    write_page(tmp_path, [sample(tmp_path, i, None, i) for i in range(3)], title="alone")
    assert (sheet.rows, sheet.columns) == ([("unguided", [0, 1, 2])], ["unguided"] * 3)
    write_page(tmp_path, [sample(tmp_path, i, "red", i) for i in range(2)], title="guided")
    assert (sheet.rows, sheet.columns) == ([("red", [0, 1])], ["guided"] * 2)
    many = [sample(tmp_path, i, f"row {i // 9}", i % 9) for i in range(25 * 9)]
    write_page(tmp_path, many, title="many")
    assert [len(pictures) for _, pictures in sheet.rows] == [8] * 24  # the first of 9, and of 25 rows


def test_a_caption_has_seed_number_and_every_score(tmp_path: Path) -> None:
    scores = {"text": 0.123456, "style": -12.5}
    page = write_page(tmp_path, [sample(tmp_path, 0, "red", 3, seed=7, scores=scores)], "scores").read_text()
    assert "<figcaption>seed 7.3 · text 0.123 · style -12.5</figcaption>" in page


def test_the_details_have_the_strips_and_a_curve_of_all_samples_for_each_number(tmp_path: Path) -> None:
    def traced(number: int, rise: float) -> dict:
        guided = {"t": [999, 500], "scores": {"text": [0.0, rise]}, "gradient_rms": [2.0, rise]}
        trace = {"t": [999, 700, 500], "guided": guided, "clipped": [0.0, rise / 4, rise / 2]}
        return sample(tmp_path, number, "red", number, trace=trace, strip=f"strip{number}.png")

    untraced = sample(tmp_path, 2, "red", 2, trace={"guided": None, "clipped": [0.0]})
    page = write_page(
        tmp_path, [traced(0, 1.0), traced(1, 0.5), untraced], title="</script> traces"
    ).read_text()
    (details,) = re.findall("<details><summary>on the way</summary>(.*?)</details>", page, re.S)
    assert re.findall('<img src="(.*?)"', details) == ["strip0.png", "strip1.png"]
    score, size, clipped = charts(details)
    assert score == {
        "x": "t (noise on the right)",
        "y": "score text",
        "lines": [
            {"name": "0.0", "x": [999, 500], "y": [0, 1]},
            {"name": "0.1", "x": [999, 500], "y": [0, 0.5]},
        ],
    }
    assert (size["y"], [line["y"] for line in size["lines"]]) == ("gradient rms", [[2, 1], [2, 0.5]])
    assert (clipped["y"], [line["y"] for line in clipped["lines"]]) == (
        "clipped",
        [[0, 0.25, 0.5], [0, 0.125, 0.25]],
    )
    assert clipped["lines"][0]["x"] == [999, 700, 500]
    assert "Bokeh" in (tmp_path / "charts.js").read_text(encoding="utf-8")

    lost = sample(tmp_path, 0, "red", 0, trace={"loss": [3.0, 1.0]})
    (loss,) = charts(write_page(tmp_path, [lost], title="a search").read_text())
    assert (loss["x"], loss["y"], loss["lines"]) == (
        "step",
        "loss",
        [{"name": "0.0", "x": [1, 2], "y": [3, 1]}],
    )
    assert "<details>" not in write_page(tmp_path, [sample(tmp_path, 0, "red", 0)], "none").read_text()


def test_many_pictures_are_on_pages_that_open_at_once(tmp_path: Path) -> None:
    """Each has at most 240 pictures and the curves of 24 of a row, and leads to all others."""
    Image.new("RGB", (8, 8)).save(tmp_path / "0.png")
    steps = {"t": list(range(400, 0, -1)), "clipped": [0.123456789] * 400}
    guided = {"t": steps["t"], "scores": {"text": [0.123456789] * 400}, "gradient_rms": [0.123456789] * 400}
    (tmp_path / "trace").write_bytes(trace_bytes(steps | {"guided": guided}))
    common = {"file": "0.png", "reference": None, "seed": 0}
    free = [common | {"prompt": None, "index": i, "scores": {}, "scale": 0.0} for i in range(100)]
    led = [
        common | {"prompt": f"row {row}", "index": i, "scores": {"text": 0.5}, "scale": 1.0}
        for row in range(10)
        for i in range(100)
    ]
    for record in [*led[:100], *led[200:300], *led[700:800]]:
        record["trace"] = "trace"
    page = write_page(tmp_path, [*free, *led], title="many")
    files = ["index.html", "index-2.html", "index-3.html", "index-4.html", "index-5.html"]
    assert page == tmp_path / "index.html"
    assert {path.name for path in tmp_path.glob("*.html")} == {*files}
    shown = [(tmp_path / file).read_text() for file in files]
    assert [text.count("<figure>") for text in shown] == [240, 240, 240, 240, 40]
    for number, text in enumerate(shown, 1):
        links = re.findall(r"<nav>.*?</nav>", text, re.S)
        assert len(links) == 2
        assert re.findall('<a href="(.*?)">', links[0]) == [
            file for file in files if file != files[number - 1]
        ]
        assert f"<b>{number}</b>" in links[0]
        assert len(text) < 1_000_000
    heads = [re.findall(r"<h2>(.*?)</h2>", text) for text in shown]
    assert heads[:3] == [
        ["row 0", "row 1", "row 2"],
        ["row 2<small> continued</small>", "row 3", "row 4"],
        ["row 4<small> continued</small>", "row 5", "row 6", "row 7"],
    ]
    # A row's curves are where it begins; of 400 steps, 100 are drawn.
    told = [[len(chart["lines"]) for chart in charts(text)] for text in shown]
    assert told == [[24] * 6, [], [20] * 3, [], []]
    line = charts(shown[0])[0]["lines"][0]
    assert (len(line["x"]), line["x"][:2], line["x"][-1], line["y"][0]) == (100, [400, 396], 1, 0.1235)


def charts(page: str) -> list[dict]:
    """What the charts of a page are drawn from."""
    return [
        chart
        for told in re.findall('<script type="application/json">(.*?)</script>', page, re.S)
        for chart in json.loads(told)
    ]


def test_a_page_says_what_was_typed_and_shows_what_is_edited(tmp_path: Path) -> None:
    command = "python sample.py 'prompts=[\"<b>\"]'"
    page = write_page(
        tmp_path, [sample(tmp_path, 0, "red", 0)], "t", command, ["a.png", "mask.png"]
    ).read_text()
    assert (
        f"<code>{html.escape(command, quote=True)}</code>".replace("&#x27;", "&#39;").replace(
            "&quot;", "&#34;"
        )
        in page
    )
    assert "and where it is redrawn" in page
    assert page.index("a.png") < page.index("mask.png") < page.index("0.png")
    assert not (tmp_path / "charts.js").exists()  # there is nothing to draw


def test_a_label_names_every_target() -> None:
    nothing: dict[str, Any] = {"prompt": None, "reference": None, "scale": 0.0}
    assert label(nothing) == "unguided"
    assert label(nothing | {"scale": 1.0}) == "guided"
    assert label(nothing | {"prompt": "red"}) == "red"
    assert label(nothing | {"prompt": "red", "reference": "a/face.png"}) == "red + face"


def test_a_grids_words_stand_left_of_their_row_and_above_their_column():
    """Ink is where a word is, and nowhere where there is none; wider gaps part groups and the lead."""
    cells = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue", "yellow", "aqua")]
    plain = draw_grid([("", cells), ("", cells)], ["", "", "", "", ""], cell=20, group=2, lead=1, label=60)
    words = draw_grid(
        [("", cells), ("word", cells)], ["", "", "W", "", ""], cell=20, group=2, lead=1, label=60
    )
    lefts = [80, 116, 140, 176, 200]
    for image in (plain, words):
        assert image.size == (240, 20 + 24 + 20 + 8 + 20 + 20)
        for left, colour in zip(
            lefts, ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)), strict=True
        ):
            for top in (44, 72):
                assert {image.getpixel((left + x, top + y)) for x in (0, 19) for y in (0, 19)} == {colour}
            assert image.getpixel((left - 1, 50)) == (255, 255, 255)
    ink = [(x, y) for x in range(240) for y in range(112) if plain.getpixel((x, y)) != words.getpixel((x, y))]
    beside, above = [place for place in ink if place[0] < 80], [place for place in ink if place[0] >= 80]
    assert beside
    assert all(20 <= x < 80 and 66 < y < 98 for x, y in beside)
    assert above
    assert all(140 <= x < 160 and y < 44 for x, y in above)


def test_pictures_have_a_side_of_128_beside_a_column_of_230():
    """And gaps of 4, 16 after each group, 8 between rows, and margins of 20."""
    cells = [Image.new("RGB", (4, 4), "red")] * 2
    assert draw_grid([("one", cells), ("two", cells)]).size == (
        20 + 230 + 128 + 16 + 128 + 20,
        20 + 128 + 8 + 128 + 20,
    )
    assert draw_grid([("one", cells)], ["a", "b"], group=2).size == (
        20 + 230 + 128 + 4 + 128 + 20,
        20 + 24 + 128 + 20,
    )
