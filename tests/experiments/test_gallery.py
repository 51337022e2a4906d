"""The page of all figures."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from experiments.figures import __main__ as figures
from experiments.figures.gallery import GALLERY, write_gallery
from sdg.composition import ROOT


class Links(HTMLParser):
    """What a page refers to."""

    def __init__(self, page: Path):
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if key in ("src", "href") and value]


def test_what_is_there_is_shown_with_its_command_and_the_rest_is_named(tmp_path: Path) -> None:
    root, page = tmp_path / "the experiments", tmp_path / "outputs" / "figures" / "index.html"
    for name in ("controls/blend.png", "figures/mix.png"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(b"")
    written = "# Title\n\n`python -m experiments.controls --targets 6 & more`, on a machine\n"
    (root / "controls" / "results.md").write_text(written)
    assert write_gallery(page, root) == page
    text = page.read_text()
    links = Links(page).found
    assert all((page.parent / unquote(link)).is_file() for link in links)
    assert len([link for link in links if link.endswith("blend.png")]) == 2
    assert links.count("../../the%20experiments/controls/results.md") == 1
    assert "<code>python -m experiments.controls --targets 6 &amp; more</code>" in text
    shown, absent = text.split("Not drawn yet")
    assert "<code>python -m experiments.figures mix</code>" in shown
    assert "experiments.samplers" not in shown
    assert absent.count("<li>") == sum(map(len, GALLERY.values())) - 2


def test_the_command_draws_nothing_and_links_what_the_project_ships(tmp_path: Path) -> None:
    figures.main(["gallery", "--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")])
    assert [path.name for path in tmp_path.rglob("*")] == ["output", "index.html"]
    page = tmp_path / "output" / "index.html"
    pictures = {(page.parent / unquote(link)).resolve() for link in Links(page).found}
    assert ROOT / "experiments" / "figures" / "content.png" in pictures
    assert all(picture.is_file() for picture in pictures)


def test_every_figure_like_the_papers_is_in_the_gallery() -> None:
    shown = [exhibit.file for exhibit in GALLERY["Figures like the paper's"]]
    assert shown == [f"figures/{name}.png" for name in figures.FIGURES]


def test_without_words_all_figures_are_drawn_and_not_the_gallery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[str]] = []
    monkeypatch.setattr(figures, "draw_figures", lambda options, names: drawn.append(list(names)))
    figures.main(["--output", str(tmp_path)])
    assert drawn == [list(figures.FIGURES)]
    assert not list(tmp_path.iterdir())
