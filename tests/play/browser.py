"""The page in the system's Chromium: a server, tabs, and what a visitor does; without a test."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any, Self

from sdg.composition import ROOT

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
PATIENCE = int(os.environ.get("SDG_TEST_PATIENCE", "120000"))
"""Milliseconds, for a machine that is busy with other tests."""
WATCH = """window.seen = []; new MutationObserver(() => {
  const now = document.querySelector("#view .sdg-drawing"), image = now?.querySelector("img");
  if (now) window.seen.push([now.dataset.step, image?.src, performance.now()]);
}).observe(document.querySelector("#view"), {subtree: true, childList: true, attributes: true})"""
"""Notes every step that is shown, however short, its first picture, and when (in ms)."""


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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()

    def end(self) -> int:
        return self.kill(signal.SIGTERM)

    def kill(self, how: signal.Signals) -> int:
        assert self.process.stdout is not None
        with self.process.stdout:
            self.process.send_signal(how)
            return self.process.wait(60)

    def get(self, path: str) -> int:
        """Status of an answer."""
        return self._ask("GET", path)

    def post(self, content: bytes) -> int:
        """Status of the answer to an upload."""
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return self._ask("POST", "/gradio_api/upload", head + content + b"\r\n--x--\r\n", kind)

    def _ask(self, *words: Any) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(*words)
        status = connection.getresponse().status
        connection.close()
        return status


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def tab(
    server: Server,
    browser: Any,
    width: int = 1280,
    scheme: str = "light",
    strict: bool = True,
    height: int = 900,
) -> Iterator[Any]:
    """An open tab; at the end, nothing was said on its console, and nothing fetched from elsewhere.

    Args:
        strict: whether the latter is asserted; a server that is killed makes browsers complain.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
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
