"""The page in the system's Chromium: what a visitor does, sees and is told."""

import http.client
import io
import os
import re
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from PIL import Image

import sdg
from sdg.composition import ROOT
from sdg.data.toyfaces.references import write_references

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright: '.[browser]' brings it")
pytest.importorskip("gradio", reason="there is no gradio: '.[browser]' brings it")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no browser: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]
PATIENCE = int(os.environ.get("SDG_TEST_PATIENCE", "120000"))
"""Milliseconds, for a machine that is busy with other tests."""


WATCH = """window.seen = []; new MutationObserver(() => {
  const now = document.querySelector("#view .sdg-drawing"), image = now?.querySelector("img");
  if (now) window.seen.push([now.dataset.step, image?.src]);
}).observe(document.querySelector("#view"), {subtree: true, childList: true, attributes: true})"""
"""Notes every step that is shown, however short."""


class Server:
    """``sdg play`` in a folder of its own, on a free port."""

    def __init__(self, folder: Path, *words: str):
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        command = [sys.executable, "-m", "sdg", "play", "--port", str(self.port), *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRADIO_ALLOWED_PATHS": "/etc"}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if "open http" in line:
                break
        else:
            raise AssertionError(self.said)

    def end(self) -> int:
        return self.kill(signal.SIGTERM)

    def kill(self, how: signal.Signals) -> int:
        assert self.process.stdout is not None
        with self.process.stdout:
            self.process.send_signal(how)
            return self.process.wait(60)

    def get(self, path: str) -> int:
        """Status of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("visitor"))
    yield server
    assert server.end() == 128 + signal.SIGTERM
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    written = {path.relative_to(server.folder).parts[:2] for path in files}
    assert written <= {("outputs", "play")}
    assert not list((server.folder / "outputs" / "play" / "cache").rglob("*.*"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(server: Server, browser: Any) -> Iterator[Any]:
    """A tab; at the end, nothing was said on its console, and nothing fetched from elsewhere."""
    yield from tab(server, browser)


def tab(
    server: Server, browser: Any, width: int = 1280, scheme: str = "light", strict: bool = True
) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, wrong = context.new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: wrong.append(asked.url) if elsewhere(asked.url, server) else None)
    page.goto(server.address)
    page.get_by_role("button", name="Draw", exact=True).wait_for()
    yield page
    context.close()
    assert not strict or wrong == []


def elsewhere(url: str, server: Server) -> bool:
    return not url.startswith((server.address, "data:", "blob:"))


def draw(page: Any, prompt: str | None = None, steps: str = "fast") -> None:
    """Set off a drawing."""
    if prompt is not None:
        page.locator("#prompt textarea, #prompt input").fill(prompt)
    page.locator("#steps").get_by_label(steps).check()
    page.get_by_role("button", name="Draw", exact=True).click()


def shown(page: Any, of: int = 10) -> None:
    """Wait for the last of so many steps, and for what comes with it."""
    page.locator(f"#view [data-step='{of}'][data-of='{of}']").wait_for()
    page.locator("#stop[disabled], #stop button[disabled]").wait_for()


def part(page: Any, name: str) -> None:
    """Open a part of the page that is folded."""
    page.locator(f"#{name} button").first.click()


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
    assert list(dict.fromkeys(step for step, _ in seen)) == ["0", *map(str, range(1, 11))]
    first = next(source for step, source in seen if step == "1")
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
        ("bomb.png", bomb(), "bomb.png has more pixels than can be safely opened"),
        ("text.png", b"no picture", "text.png is empty, damaged or no picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_line(visit: Any, name: str, content: bytes, message: str) -> None:
    part(visit, "picture-part")
    file = {"name": name, "mimeType": "image/png", "buffer": content}
    visit.set_input_files("#picture input[type=file]", file)
    visit.locator("#told", has_text=message).wait_for()
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
    tabs = [tab(server, browser, width=500) for _ in range(10)]
    pages = [next(each) for each in tabs]
    for page in pages:
        draw(page)
    pages[-1].get_by_text(re.compile(r"\d drawings? comes? before yours|step \d+ of 10")).wait_for()
    assert any("before yours" in page.locator("#view").inner_text() for page in pages)
    for each in tabs[2:5]:
        for _ in each:
            pass
    for page in (*pages[:2], *pages[5:]):
        shown(page)
    for each in (*tabs[:2], *tabs[5:]):
        for _ in each:
            pass


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [500, 900, 1280])
def test_pictures_keep_their_proportions_and_nothing_sticks_out(
    server: Server, browser: Any, width: int, scheme: str
) -> None:
    for page in tab(server, browser, width, scheme):
        draw(page)
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


def test_nothing_else_is_served(server: Server) -> None:
    (server.folder / "secret.txt").write_text("mine")
    for path in (server.folder / "secret.txt", ROOT / "README.md", "/etc/passwd"):
        assert server.get(f"/gradio_api/file={path}") in (403, 404), path
    (server.folder / "secret.txt").unlink()


def test_a_killed_server_leaves_nothing_half_written_and_starts_again(tmp_path: Path, browser: Any) -> None:
    for how in (signal.SIGKILL, signal.SIGTERM):
        server = Server(tmp_path)
        for page in tab(server, browser, strict=False):
            draw(page)
            page.locator("#view [data-of='10']").wait_for()
            server.kill(how)
            break
        assert not list((tmp_path / "outputs").rglob("*.part"))
