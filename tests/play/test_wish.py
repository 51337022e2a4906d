"""What the widgets say becomes words, and the lines beside a picture draw it again, byte for byte."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdg.errors import SDGError
from sdg.play.folder import Folder
from sdg.play.wish import Wish, as_python, from_widgets, usual_scale
from sdg.sampling.run import sample
from sdg.studio import Pictures, Studio
from tests.tiny import configure

WISHES: dict[str, dict[str, Any]] = {
    "words": {
        "prompt": 'a smiling face\'s hat, "so" | glasses:-0.5',
        "push": -3.0,
        "steps": "fast",
        "seed": 5,
    },
    "words and a picture": {
        "prompt": "a hat",
        "uses": ("content", "style"),
        "text": 0.5,
        "style": 2.0,
        "sampler": "ddim",
        "steps": "fast",
        "pictures": 2,
    },
    "an edit": {"prompt": "a hat", "uses": ("start",), "strength": 0.4, "mask": True, "estimator": "clip_x0"},
}


def drawn(studio: Studio, wish: Wish) -> tuple[Pictures, dict[str, Any]]:
    words = wish.keywords(studio)
    *_, last = studio.steps(**words)
    assert last.pictures is not None
    return last.pictures, words


@pytest.mark.parametrize("kind", WISHES)
def test_the_lines_shown_draw_the_same_file(
    kind: str, studio: Studio, face: str, mask: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = dict(WISHES[kind])
    given |= {"mask": mask} if given.get("mask") else {}
    wish = Wish(picture=face if given.get("uses") else None, **given)
    pictures, words = drawn(studio, wish)

    python, script, *typed = shlex.split(studio.request(**words).command)
    assert (python, script) == ("python", "sample.py")
    sample(configure("sample", [*typed, f"output_dir={tmp_path}/run", "trainer.accelerator=cpu"]))
    files = sorted((tmp_path / "run" / "samples").iterdir())
    assert [file.read_bytes() for file in files] == [picture.png for picture in pictures]

    page = (tmp_path / "run" / "index.html").read_text(encoding="utf-8")
    edited = re.findall('<img src="(.*?)" alt="what is edited">', page)
    expected = ["face_000", "mask"] if wish.mask else []
    assert [Path(name).name.partition("-")[0] for name in edited] == expected
    assert all((tmp_path / "run" / name).is_file() for name in edited)

    (tmp_path / "python").mkdir()
    monkeypatch.chdir(tmp_path / "python")
    exec(as_python(studio.base.words, words), {})
    assert [Path(name).read_bytes() for name in sorted(os.listdir())] == [picture.png for picture in pictures]


def test_each_widget_has_its_word(studio: Studio, face: str, mask: str) -> None:
    usual = {"sampler": "balanced", "n": 1, "seed": 0, "unguided": True, "group": 1}
    assert Wish("a hat").keywords(studio) == {"prompt": "a hat", **usual}
    for change, word in (
        ({"text": 0.5}, {"prompt": ("a hat", 0.5)}),
        ({"uses": ("structure",)}, {"structure": face}),
        ({"uses": ("style",), "style": 2}, {"style": (face, 2.0)}),
        ({"uses": ("start",), "strength": 0.3}, {"start": face, "strength": 0.3}),
        ({"uses": ("start",), "mask": mask}, {"start": face, "strength": 0.6, "mask": mask}),
        ({"push": 1.0}, {"scale": 800.0}),
        ({"push": -2.0}, {"scale": 100.0}),
        ({"steps": "exact"}, {"sampler": "exact"}),
        ({"sampler": "ddim"}, {"sampler": "ddim", "steps": 3}),  # the studio's own number of steps
        ({"estimator": "clip_x0"}, {"estimator": "clip_x0"}),
        ({"seed": 7, "pictures": 3}, {"seed": 7, "n": 3, "group": 3}),
    ):
        wish = Wish("a hat", face, **change)
        assert wish.keywords(studio) == {"prompt": "a hat", **usual, **word}, change


def test_a_picture_without_words_leaves_the_experiments_sentences_out(face: str) -> None:
    studio = Studio("+experiment=demo", device="cpu")
    assert Wish(picture=face, uses=("content",)).keywords(studio)["prompts"] == []
    assert "prompts" not in Wish("a hat", face).keywords(studio)


@pytest.mark.parametrize(
    "wish, message",
    [
        (Wish("  "), "say what to draw: type a sentence"),
        (Wish("zebra, quokka"), r"knows none of these words \(zebra, quokka\)"),
        (Wish("a hat", uses=("style",)), "no picture yet to use as style"),
        (Wish("", "face.png", ("start",)), "say what to draw"),
    ],
)
def test_what_cannot_be_drawn_is_told(wish: Wish, message: str, studio: Studio) -> None:
    with pytest.raises(SDGError, match=message):
        wish.keywords(studio)


def test_a_method_without_guidance_has_no_scale() -> None:
    with pytest.raises(SDGError, match=r"no guidance\.scale"):
        usual_scale(Studio("guidance=none", "~guidance.scale", device="cpu"), {})


def widgets(**told: Any) -> list[Any]:
    """The values of all widgets, in order."""
    usual = ["a hat", None, [], 1, 1, 1, 1, 0.6, None, 0, "balanced", "as steps", "sdg", 0, 1]
    names = list(Wish.__dataclass_fields__)
    return [told.get(name, value) for name, value in zip(names, usual, strict=True)]


def test_widgets_become_a_wish(folder: Folder) -> None:
    assert from_widgets(widgets(), folder) == Wish("a hat")
    layer = Image.new("RGBA", (8, 8))
    layer.paste((9, 9, 9, 255), (0, 0, 4, 8))
    brushed = {"background": None, "layers": [layer], "composite": None}
    assert from_widgets(widgets(mask=brushed), folder).mask is None  # of no use without a start
    wish = from_widgets(widgets(mask=brushed, uses=["start"], picture="a.png"), folder)
    assert wish.uses == ("start",)
    with Image.open(str(wish.mask)) as mask:
        assert (mask.mode, mask.getbbox(), mask.getextrema()) == ("L", (0, 0, 4, 8), (0, 255))


@pytest.mark.parametrize(
    "told, message",
    [({"seed": None}, "no seed"), ({"seed": -1}, "no seed"), ({"pictures": 9}, "choose 1 to 4")],
)
def test_numbers_out_of_range_are_told(told: dict[str, Any], message: str, folder: Folder) -> None:
    with pytest.raises(SDGError, match=message):
        from_widgets(widgets(**told), folder)
