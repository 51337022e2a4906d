"""The page in the system's Chromium: what a visitor does, sees and is told."""

import io
import os
import re
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sdg
from sdg.composition import ROOT
from sdg.data.toyfaces.references import write_references
from tests.play.browser import CHROMIUM, WATCH, Server, chromium, draw, part, shown, tab

sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright: '.[browser]' brings it")
pytest.importorskip("gradio", reason="there is no gradio: '.[browser]' brings it")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="runs where Chromium is: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("visitor")) as server:
        yield server
        assert server.end() == 128 + signal.SIGTERM
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    written = {path.relative_to(server.folder).parts[:2] for path in files}
    assert written <= {("outputs", "play")}
    assert not list((server.folder / "outputs" / "play" / "cache").rglob("*.*"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(server: Server, browser: Any) -> Iterator[Any]:
    with tab(server, browser) as page:
        yield page


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_references(folder, 1, size=96)
    return folder


def test_steps_appear_one_by_one_and_the_command_draws_the_file_that_is_offered(
    visit: Any, server: Server, tmp_path: Path
) -> None:
    visit.evaluate(WATCH)
    draw(visit, "a face with a hat")
    shown(visit)
    seen = visit.evaluate("window.seen")
    assert list(dict.fromkeys(step for step, *_ in seen)) == ["0", *map(str, range(1, 11))]
    first = next(source for step, source, _ in seen if step == "1")
    visit.locator("#scrub input[type=number]").fill("1")
    visit.locator("#view [data-step='1']").wait_for()
    assert visit.locator("#view img").first.get_attribute("src") == first
    part(visit, "export")
    with visit.expect_download() as download:
        visit.locator("#files a").first.click()
    file = tmp_path / "downloaded.png"
    download.value.save_as(file)
    again = sdg.again(file, device="cpu")
    assert (again.prompt, again.png) == ("a face with a hat", file.read_bytes())
    line = visit.locator("#command .cm-content").inner_text()
    assert line.startswith("python sample.py sampler=fast")
    assert "'prompts=[\"a face with a hat\"]'" in line
    assert "sdg.load()" in visit.locator("#python .cm-content").inner_text()
    if not (ROOT / ".git").exists():
        return
    subprocess.run(["git", "clone", "-q", ROOT, tmp_path / "clone"], check=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-c", f"{line} output_dir=mine"],
        cwd=tmp_path / "clone",
        env={**os.environ, "PATH": path, "PYTHONPATH": ""},
        check=True,
    )
    assert (tmp_path / "clone" / "mine" / "samples" / "000001.png").read_bytes() == file.read_bytes()


def test_curves_grow_with_the_steps(visit: Any) -> None:
    part(visit, "curves")
    draw(visit, "a face with a hat", "exact")
    growing = visit.locator("#curve-score svg path[aria-roledescription='line mark']").first
    growing.wait_for()
    early = growing.get_attribute("d").count("L")
    visit.wait_for_timeout(1500)
    assert 0 <= early < growing.get_attribute("d").count("L")
    visit.get_by_role("button", name="Stop").click()
    steps = int(re.findall(r"\d+", visit.get_by_text(re.compile(r"stopped after \d+")).inner_text())[0])
    for kind in ("score", "gradient", "clipped"):
        line = visit.locator(f"#curve-{kind} svg path[aria-roledescription='line mark']").first
        sync_api.expect(line).to_have_attribute("d", re.compile(f"^[^L]*(L[^L]*){{{steps - 1}}}$"))


def test_stop_ends_it_and_a_second_draw_is_told(visit: Any) -> None:
    draw(visit, steps="exact")
    visit.locator("#view [data-of='100']").wait_for()
    visit.get_by_role("button", name="Draw", exact=True).click()
    visit.locator("#told", has_text="still drawing: wait for it, or press Stop first").wait_for()
    step = int(visit.locator("#view .sdg-drawing").get_attribute("data-step"))
    visit.get_by_role("button", name="Stop").click()
    visit.get_by_text(re.compile("stopped after")).wait_for()
    assert int(visit.locator("#view .sdg-drawing").get_attribute("data-step")) < step + 25


def test_unknown_words_are_told_as_they_are_typed_and_refused_alone(
    visit: Any,
) -> None:
    visit.locator("#prompt textarea, #prompt input").fill("a zebra with a hat")
    visit.locator("#words", has_text="does not know: zebra").wait_for()
    draw(visit, "zebra quokka")
    visit.locator("#told", has_text="the encoder knows none of these words (zebra, quokka)").wait_for()
    draw(visit, "")
    visit.locator("#told", has_text="say what to draw").wait_for()


def test_a_picture_is_mixed_with_words_and_redrawn_where_it_was_brushed(
    visit: Any, server: Server, faces: Path
) -> None:
    part(visit, "picture-part")
    visit.set_input_files("#picture input[type=file]", faces / "face_000.png")
    visit.locator("#picture img").wait_for()
    visit.locator("#uses").get_by_label("content").check()
    visit.locator("#uses").get_by_label("start").check()
    visit.get_by_text("start: only where you brush").click()
    canvas = visit.locator("#brush canvas").first
    canvas.scroll_into_view_if_needed()
    visit.wait_for_timeout(1500)  # the editor fits its canvas in
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visit.mouse.move(x - 50, y)
    visit.mouse.down()
    visit.mouse.move(x + 50, y, steps=5)
    visit.mouse.up()
    draw(visit, "a hat")
    shown(visit, 6)  # of ten, with a strength of 0.6
    part(visit, "export")
    line = visit.locator("#command .cm-content").inner_text()
    assert re.search(r"references=\[\S*outputs/play/pictures/face_000-\w{8}\.png", line)
    assert re.search(r"start\.mask=\S*outputs/play/pictures/mask-\w{8}\.png", line)
    (mask,) = (server.folder / "outputs" / "play" / "pictures").glob("mask-*.png")
    with Image.open(mask) as image:
        left, top, right, bottom = image.getbbox()
        middle = (left + right) / 2 / image.width, (top + bottom) / 2 / image.height
    assert middle == pytest.approx((0.5, 0.5), abs=0.1)


def bomb() -> bytes:
    """A PNG of 40,000 x 40,000 pixels in a few bytes."""
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "png")
    data = bytearray(stream.getvalue())
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("huge.png", bytes(20_000_000), "exceed the maximum allowed size of 10.0 Mb"),
        ("bomb.png", bomb(), "bomb.png has more pixels than can be safely opened"),
        ("text.png", b"no picture", "text.png is empty, damaged or no picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_line(visit: Any, name: str, content: bytes, message: str) -> None:
    part(visit, "picture-part")
    file = {"name": name, "mimeType": "image/png", "buffer": content}
    visit.set_input_files("#picture input[type=file]", file)
    visit.get_by_text(message).wait_for()
    visit.locator("#uses").get_by_label("style").check()
    draw(visit)
    visit.locator("#told", has_text="no picture yet to use as style").wait_for()


def test_a_history_brings_back_all_settings_and_two_are_compared(visit: Any) -> None:
    draw(visit, "a face with a hat")
    shown(visit)
    visit.get_by_role("button", name="Pin").click()
    visit.locator("#pins img").wait_for()
    visit.locator("#pictures").get_by_label("2").check()
    visit.locator("#seed input").fill("5")
    draw(visit, "a bearded person")
    visit.locator("#view img").nth(3).wait_for()
    shown(visit)
    visit.get_by_role("button", name="Pin").click()
    visit.locator("#pins", has_text="seed: 5").wait_for()
    assert visit.locator("#pins img").count() == 3
    visit.locator("#history button.thumbnail-item, #history .thumbnail-item").nth(1).click()
    sync_api.expect(visit.locator("#prompt textarea, #prompt input")).to_have_value("a face with a hat")
    sync_api.expect(visit.locator("#seed input")).to_have_value("0")
    sync_api.expect(visit.locator("#pictures").get_by_label("1")).to_be_checked()
    sync_api.expect(visit.locator("#view img")).to_have_count(2)


def test_visitors_wait_in_line_and_are_told(server: Server, browser: Any) -> None:
    """Ten at once, of whom some leave."""
    with ExitStack() as stay:
        with ExitStack() as leave:
            leaving = [leave.enter_context(tab(server, browser, width=500)) for _ in range(3)]
            staying = [stay.enter_context(tab(server, browser, width=500)) for _ in range(7)]
            for page in (*staying[:2], *leaving, *staying[2:]):
                draw(page)
            staying[-1].get_by_text(re.compile(r"\d drawings? comes? before yours|step \d+ of 10")).wait_for()
            assert any("before yours" in page.locator("#view").inner_text() for page in (*leaving, *staying))
        for page in staying:
            shown(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [500, 900, 1280])
def test_pictures_keep_their_proportions_and_nothing_sticks_out(
    server: Server, browser: Any, width: int, scheme: str
) -> None:
    with tab(server, browser, width, scheme) as page:
        draw(page)
        sync_api.expect(page.locator("#view")).to_be_in_viewport()
        shown(page)
        page.locator("#history img").first.wait_for()
        wrong = page.evaluate(
            """() => [...document.images].filter(i => i.width && getComputedStyle(i).objectFit !== "contain"
                && Math.abs(i.width / i.height - i.naturalWidth / i.naturalHeight) > 0.02).map(i => i.src)"""
        )
        assert wrong == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", dark)[:3])) < 90) == (scheme == "dark")


def test_what_is_too_large_is_not_taken_from_a_program_either(server: Server) -> None:
    before = [*(server.folder / "outputs").rglob("*")]
    assert server.post(bytes(20_000_000)) == 413
    assert [*(server.folder / "outputs").rglob("*")] == before


def test_nothing_else_is_served(server: Server) -> None:
    (server.folder / "secret.txt").write_text("mine")
    for path in (server.folder / "secret.txt", ROOT / "README.md", "/etc/passwd"):
        assert server.get(f"/gradio_api/file={path}") in (403, 404), path
    (server.folder / "secret.txt").unlink()


def test_a_killed_server_leaves_nothing_half_written_and_starts_again(tmp_path: Path, browser: Any) -> None:
    for how in (signal.SIGKILL, signal.SIGTERM):
        server = Server(tmp_path)
        with tab(server, browser, strict=False) as page:
            draw(page)
            page.locator("#view [data-of='10']").wait_for()
            server.kill(how)
        assert not list((tmp_path / "outputs").rglob("*.part"))
