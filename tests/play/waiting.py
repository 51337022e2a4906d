"""How long a visitor of the page waits, in Chromium, as a table: ``python -m tests.play.waiting``."""

import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.play.browser import WATCH, Server, chromium, part, tab

_ROUNDS = 3
_NEW = "window.seen.slice(window.seen.map(([step]) => step).indexOf('1') >>> 0)"
"""What was shown since the drawing began; nothing before that, when the last one is still there."""


def drawn(page: Any, seed: int) -> tuple[float, float]:
    """Seconds from Draw to the first step and to the finished pair, in 20 steps."""
    page.locator("#seed input").fill(str(seed))
    page.locator("#prompt textarea, #prompt input").fill("a smiling face with red hair")
    page.locator("#steps").get_by_label("balanced").check()
    page.evaluate(WATCH)
    button = page.get_by_role("button", name="Draw", exact=True)
    begun = page.evaluate("performance.now()")
    button.click()
    page.wait_for_function(f"{_NEW}.some(([step]) => step === '20')")
    page.locator("#stop[disabled], #stop button[disabled]").wait_for()
    times = {step: at for step, _, at in reversed(page.evaluate(_NEW))}
    return (times["1"] - begun) / 1000, (times["20"] - begun) / 1000


def memory(pid: int) -> float:
    """The largest resident set of a process so far, in GB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024 / 1e9


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        begun = time.perf_counter()
        with Server(Path(folder)) as server:
            tell("from `sdg play` to the page's address", time.perf_counter() - begun)
            begun = time.perf_counter()
            with tab(server, browser) as page:
                tell("from there to the page", time.perf_counter() - begun)
                tell("from the first Draw to step 1", drawn(page, 1)[0])
                pairs = [drawn(page, 2 + i) for i in range(_ROUNDS)]
                tell("from a later Draw to step 1", median(first for first, _ in pairs))
                tell("from Draw to a finished pair, `balanced`", median(last for _, last in pairs))
                print(f"| memory of the server, at most | {memory(server.process.pid):.2f} GB |", flush=True)
                part(page, "curves")
                watched = [drawn(page, 2 + _ROUNDS + i)[1] for i in range(_ROUNDS)]
                tell("from Draw to a finished pair, watching the curves", median(watched))


def tell(what: str, seconds: float) -> None:
    print(f"| {what} | {seconds:.1f} s |", flush=True)


if __name__ == "__main__":
    main()
