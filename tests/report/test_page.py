"""The page shows every picture, the unguided one of the same noise beside it, and trusts no prompt."""

from pathlib import Path

from PIL import Image

from sdg.report.grid import draw_grid
from sdg.report.page import write_page


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
