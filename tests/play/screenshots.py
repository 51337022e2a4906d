"""Take the pictures of the page in docs/images anew: ``python -m tests.play.screenshots [STATE …]``."""

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from sdg.composition import ROOT
from sdg.data.toyfaces.references import write_references
from tests.play.browser import Server, chromium, draw, part, shown, tab


class State(NamedTuple):
    """What the page looks like, how wide, how high, in what colours."""

    reach: Callable[[Any, Path], None]
    width: int = 1280
    height: int = 900
    scheme: str = "light"


def start(page: Any, face: Path) -> None:
    """Nothing was drawn yet."""
    page.get_by_text("Loading...").wait_for(state="hidden")


def drawing(page: Any, face: Path) -> None:
    part(page, "curves")
    draw(page, "a face with glasses and a hat", "exact")
    page.wait_for_function("Number(document.querySelector('#view .sdg-drawing').dataset.step) > 44")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped after").wait_for()


def picture(page: Any, face: Path) -> None:
    """Words, a picture as content and as a start, and a brush over its eyes."""
    part(page, "picture-part")
    page.set_input_files("#picture input[type=file]", face)
    page.locator("#picture img").wait_for()
    for use in ("content", "start"):
        page.locator("#uses").get_by_label(use).check()
    page.get_by_text("start: only where you brush").click()
    brush(page)
    draw(page, "a face with glasses", "balanced")
    shown(page, 12)


def brush(page: Any) -> None:
    canvas = page.locator("#brush canvas").first
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # the editor fits its canvas in
    box = canvas.bounding_box()
    middle = box["x"] + box["width"] / 2
    for row in range(5):
        y = box["y"] + box["height"] * (0.42 + 0.045 * row)
        page.mouse.move(middle - 70, y)
        page.mouse.down()
        page.mouse.move(middle + 70, y, steps=8)
        page.mouse.up()


def compare(page: Any, face: Path) -> None:
    """Two that are pinned: the same noise, pushed weakly and as usual."""
    for count, push in enumerate(("-3", "0")):
        page.locator("#push input[type=number]").fill(push)
        page.locator("#push input[type=number]").press("Enter")
        draw(page, "a bearded person on a yellow background")
        page.locator("#history img").nth(count).wait_for()
        page.get_by_role("button", name="Pin").click()
        page.locator("#pins figure").nth(count).wait_for()


def export(page: Any, face: Path) -> None:
    part(page, "export")
    draw(page, "a smiling face with red hair")
    shown(page)
    page.locator("#files a").first.wait_for()


def narrow(page: Any, face: Path) -> None:
    page.locator("#pictures").get_by_label("2").check()
    draw(page, "a frowning person with long black hair")
    shown(page)


STATES = {
    "start": State(start),
    "drawing": State(drawing),
    "picture": State(picture, height=1500),
    "compare": State(compare, height=1420, scheme="dark"),
    "export": State(export, width=900, height=1300),
    "narrow": State(narrow, width=500, height=1500),
}


def main() -> None:
    """Reach each state in a tab of its own, and keep what is seen."""
    with tempfile.TemporaryDirectory() as folder:
        write_references(Path(folder), 1, size=96)
        face = Path(folder) / "face_000.png"
        with Server(Path(folder)) as server, chromium() as browser:
            for name in sys.argv[1:] or STATES:
                state = STATES[name]
                with tab(server, browser, state.width, state.scheme, height=state.height) as page:
                    state.reach(page, face)
                    page.wait_for_timeout(1000)  # what moves comes to rest
                    page.evaluate("window.scrollTo(0, 0)")
                    with Image.open(io.BytesIO(page.screenshot())) as seen:
                        seen.convert("RGB").save(ROOT / "docs" / "images" / f"play_{name}.webp", quality=80)


if __name__ == "__main__":
    main()
