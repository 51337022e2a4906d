"""Bars on a terminal, lines elsewhere: at most one every 30 seconds, with rate and time left."""

import io
import re

import pytest

from sdg import progress
from sdg.progress import Bar


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    return clock


def follow(bar: Bar, clock: Clock) -> None:
    bar._time, bar.start_t, bar.last_print_t = clock, clock.now, clock.now


def test_a_log_gets_a_line_every_half_minute_however_often_the_bar_moves(clock: Clock) -> None:
    log = io.StringIO()
    with Bar(total=100, desc="preparing", unit="pictures", file=log) as bar:
        follow(bar, clock)
        for _ in range(100):
            clock.now += 1.0
            bar.update(1)
            bar.refresh()  # as Lightning's bar does at every batch
            bar.set_postfix(loss=0.5)
    lines = log.getvalue().splitlines()
    assert [re.match(r"preparing: (\d+)% of 100 pictures", line)[1] for line in lines] == ["30", "60", "90"]
    assert lines[0] == "preparing: 30% of 100 pictures, 00:30 gone, 01:10 left, 1.00pictures/s, loss=0.5"
    assert "\r" not in log.getvalue()


def test_what_ends_sooner_prints_nothing(clock: Clock) -> None:
    log = io.StringIO()
    for i in Bar(range(20), file=log):
        clock.now += 1.0 if i else 0.0
        Bar.write("", file=io.StringIO())
    assert log.getvalue() == ""


def test_work_of_unknown_length_tells_how_much_is_done(clock: Clock) -> None:
    log = io.StringIO()
    with Bar(total=None, desc="file", unit="B", unit_scale=True, file=log) as bar:
        follow(bar, clock)
        clock.now += 31
        bar.update(5_000_000)
    assert log.getvalue().startswith("file: 5.00M B, ")


def test_a_terminal_gets_a_bar() -> None:
    terminal = Terminal()
    list(Bar(range(3), file=terminal))
    assert "100%|" in terminal.getvalue()
