"""What is shown is what was drawn, in pairs, and trusts no sentence."""

import base64
import io
import re
from typing import Any

import pytest
from PIL import Image

from sdg.play import view
from sdg.play.line import Drawing
from sdg.play.wish import Wish
from sdg.studio import Request, Step

NAMES = ("red", "lime", "blue", "white")


def drawing(*steps: Step, **wish: Any) -> Drawing:
    made = Drawing(Wish(**wish), {}, Request())
    made.steps += steps
    return made


def step(number: int, names: tuple[str, ...] = NAMES[:2], t: int = 0) -> Step:
    half = len(names) // 2
    images = [Image.new("RGB", (8, 8), name) for name in names]
    scores = [{}] * half + [{"text": number / 8, "style": -1.0}] * half
    sizes: list[float | None] = [None] * half + [0.5] * half
    return Step(number, 2, t, images, scores, sizes, [0.125] * half + [0.25] * half)


def colours(page: str) -> list[tuple[int, ...]]:
    """Of the pictures in a page, by their first pixels."""
    urls = re.findall(r'src="data:image/png;base64,(.*?)"', page)
    images = [Image.open(io.BytesIO(base64.b64decode(url))) for url in urls]
    return [image.getpixel((0, 0)) for image in images]  # type: ignore[misc]


def test_pairs_stand_side_by_side_at_the_step_that_is_asked_for() -> None:
    made = drawing(step(1, NAMES, 999), step(2, NAMES[:2], 500))
    first = view.pairs(made, 1)
    assert colours(first) == [(255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 255)]
    assert 'data-step="1" data-of="2"' in first
    assert "step 1 of 2 · t = 999" in first
    assert first.count("guided · text 0.125 · style -1") == 2
    assert colours(view.pairs(made)) == [(255, 0, 0), (0, 255, 0)]
    assert "<b>" not in view.pairs(made, said="<b>2 before</b>")
    assert "Press Draw." in view.pairs(drawing())


def test_curves_have_a_line_for_each_term_and_picture() -> None:
    points = view.curves([step(1, t=999), step(2, t=500)])
    assert points["score"][:2] == [(999, 0.125, "text"), (999, -1, "style")]
    assert points["score"][2:] == [(500, 0.25, "text"), (500, -1, "style")]
    assert points["gradient"] == [(999, 0.5, "guided"), (500, 0.5, "guided")]
    assert points["clipped"][:2] == [(999, 0.125, "alone"), (999, 0.25, "guided")]
    several = [which for *_, which in view.curves([step(1, NAMES)])["score"]]
    assert several == ["text 0", "style 0", "text 1", "style 1"]
    chosen = view.colours(points["score"])
    assert list(chosen) == ["text", "style"]
    assert len(set(chosen.values())) == 2


def test_pins_name_the_settings_that_differ() -> None:
    one = drawing(step(2), prompt="<i>a hat", seed=1)
    other = drawing(step(2), prompt="<i>a hat", seed=2, uses=("style",))
    page = view.pinned([one, other])
    assert "<i>" not in page
    assert re.findall(r"<br>(.*?)\s", page) == ["uses:", "seed:", "uses:", "seed:"]
    assert re.findall(r"seed: (\d)", page) == ["1", "2"]
    assert colours(page) == [(0, 255, 0)] * 2
    assert "<br>" not in view.pinned([one])


@pytest.mark.parametrize("nothing", [[], [None]])
def test_no_pins_are_no_pictures(nothing: list[Drawing | None]) -> None:
    assert "<img" not in view.pinned(nothing)
