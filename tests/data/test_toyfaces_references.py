"""The references of toyfaces: styles, and the folder that holds them beside faces."""

import json
from pathlib import Path

import pytest
import torch

from sdg.data.picture import read_picture
from sdg.data.toyfaces import ATTRIBUTES, SPLITS, faces
from sdg.data.toyfaces.references import write_references
from sdg.data.toyfaces.styles import STYLES, draw_style
from sdg.errors import SDGError


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_the_same_painting_at_every_size(name: str) -> None:
    small, large = draw_style(name, 32), draw_style(name, 64)
    assert small.shape == (3, 32, 32)
    assert -1 <= float(small.min()) < float(small.max()) <= 1
    halved = torch.nn.functional.avg_pool2d(large[None], 2)[0]
    assert (small - halved).abs().mean() < 0.05
    assert torch.equal(small, draw_style(name, 32))


def test_styles_differ_in_their_colours() -> None:
    means = torch.stack([draw_style(name, 16).mean(dim=(1, 2)) for name in STYLES])
    assert torch.pdist(means).min() > 0.1


def test_an_unknown_style_names_the_known_ones() -> None:
    with pytest.raises(SDGError, match="no style cubism: choose dots, stripes"):
        draw_style("cubism")


def test_the_folder_holds_test_faces_with_their_attributes_and_every_style(tmp_path: Path) -> None:
    write_references(tmp_path / "r", 3, size=32)
    records = [json.loads(line) for line in (tmp_path / "r" / "faces.jsonl").read_text().splitlines()]
    drawn, attributes = faces(0, torch.arange(3) + SPLITS["test"].start, 32)
    for i, record in enumerate(records):
        picture = read_picture(tmp_path / "r" / record["file"], 32)
        torch.testing.assert_close(picture, drawn[i], rtol=0, atol=1 / 127)
        assert [
            values.index(record["attributes"][name]) for name, values in ATTRIBUTES.items()
        ] == attributes[i].tolist()
        assert record["index"] in SPLITS["test"]
    assert len(records) == 3
    assert {path.stem for path in (tmp_path / "r").glob("style_*.png")} == {
        f"style_{name}" for name in STYLES
    }


@pytest.mark.parametrize("count", [-1, 10**9])
def test_counts_out_of_range_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(SDGError, match="out of range"):
        write_references(tmp_path / "r", count)
    assert not (tmp_path / "r").exists()
