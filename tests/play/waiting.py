"""How long a visitor of the page waits, in Chromium, as a table: ``python -m tests.play.waiting``."""

import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.play.browser import Server, chromium, draw, part, tab

_ROUNDS = 3


def drawn(page: Any, seed: int) -> tuple[float, float]:
    """Seconds from Draw to the first step and to the finished pair, in 20 steps."""
    page.locator("#seed input").fill(str(seed))
    page.evaluate("document.querySelector('#view .sdg-drawing').dataset.step = 'old'")
    draw(page, "a smiling face with red hair", "balanced")
    begun = time.perf_counter()
    page.locator("#view [data-step='1']").wait_for()
    first = time.perf_counter() - begun
    page.locator("#view [data-step='20']").wait_for()
    return first, time.perf_counter() - begun


def memory(pid: int) -> float:
    """The largest resident set of a process so far, in GB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024 / 1e9


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        begun = time.perf_counter()
        with Server(Path(folder)) as server:
            started = time.perf_counter() - begun
            with tab(server, browser) as page:
                opened = time.perf_counter() - begun - started
                cold = drawn(page, 1)
                pairs = [drawn(page, 2 + i) for i in range(_ROUNDS)]
                part(page, "curves")
                with_curves = [drawn(page, 2 + _ROUNDS + i) for i in range(_ROUNDS)]
                rows = {
                    "from `sdg play` to the page's address": f"{started:.1f} s",
                    "from there to the page": f"{opened:.1f} s",
                    "from the first Draw to step 1": f"{cold[0]:.1f} s",
                    "from a later Draw to step 1": f"{median(first for first, _ in pairs):.1f} s",
                    "from Draw to a finished pair, `balanced`": f"{median(last for _, last in pairs):.1f} s",
                    "the same, watching the curves": f"{median(last for _, last in with_curves):.1f} s",
                    "memory of the server, at most": f"{memory(server.process.pid):.2f} GB",
                }
    for name, value in rows.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
