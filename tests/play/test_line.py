"""One drawing at a time, in order; any of them can be stopped or fail, and the line goes on."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sdg.errors import SDGError
from sdg.play.line import Drawing, Line
from sdg.play.wish import Wish
from sdg.studio import Step, Studio


class Slow:
    """A studio whose steps are taken when told to, and that can fail."""

    def __init__(self, studio: Studio):
        self.base, self.request, self.unknown_words = studio.base, studio.request, studio.unknown_words
        self.go, self.begun, self.closed = threading.Semaphore(0), [0], 0

    def steps(self, **words: Any) -> Iterator[Step]:
        self.begun.append(words["seed"])
        try:
            for number in (1, 2, 3):
                assert self.go.acquire(timeout=30)
                if words["seed"] == 13:
                    raise SDGError("thirteen is not drawn")
                if words["seed"] == 14:
                    raise ZeroDivisionError("a fault")
                yield Step(number, 3, 999, [], [], [], [])
        finally:
            self.closed += 1


def end(drawing: Drawing) -> Drawing:
    for _ in drawing.watch():
        pass
    return drawing


@pytest.fixture
def slow(studio: Studio) -> Slow:
    return Slow(studio)


def test_drawings_come_in_order_and_know_their_place(slow: Slow) -> None:
    line = Line(slow)  # type: ignore[arg-type]
    first, second, third = (line.ask(Wish("a hat", seed=seed)) for seed in (1, 2, 3))
    assert [line.ahead(drawing) for drawing in (first, second, third)] == [0, 1, 2]
    slow.go.release(3)
    assert len(end(first).steps) == 3
    slow.go.release(6)
    end(third)
    assert slow.begun == [0, 1, 2, 3]
    assert len(second.steps) == 3
    assert line.ahead(first) == 0


def test_a_drawing_stops_within_one_step_and_one_that_waits_is_never_begun(slow: Slow) -> None:
    line = Line(slow)  # type: ignore[arg-type]
    first, second = line.ask(Wish("a hat", seed=1)), line.ask(Wish("a hat", seed=2))
    slow.go.release()
    watching = first.watch()
    while not first.steps:
        next(watching)
    first.stop()
    second.stop()
    slow.go.release()
    assert len(end(first).steps) == 2
    assert end(second).steps == []
    assert (slow.begun, slow.closed) == ([0, 1], 1)


def test_errors_end_a_drawing_and_not_the_line(slow: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    line = Line(slow)  # type: ignore[arg-type]
    slow.go.release(5)
    ours, fault, good = (end(line.ask(Wish("a hat", seed=seed))) for seed in (13, 14, 15))
    assert ours.error == "thirteen is not drawn"
    assert fault.error == "ZeroDivisionError: a fault, which is a fault in sdg: see the terminal"
    assert "Traceback" in capsys.readouterr().err
    assert (good.error, len(good.steps)) == (None, 3)


def test_a_line_that_is_too_long_takes_no_more(slow: Slow) -> None:
    line = Line(slow, longest=1)  # type: ignore[arg-type]
    drawn = [line.ask(Wish("a hat", seed=1))]
    while len(slow.begun) == 1:  # it may still be waiting
        threading.Event().wait(0.01)
    drawn.append(line.ask(Wish("a hat", seed=2)))
    with pytest.raises(SDGError, match="1 drawings wait already"):
        line.ask(Wish("a hat", seed=3))
    slow.go.release(6)
    assert [len(end(drawing).steps) for drawing in drawn] == [3, 3]


def test_watching_shows_every_drawing_its_steps(studio: Studio) -> None:
    line = Line(studio)
    drawing = line.ask(Wish("a hat", steps="fast"))
    seen = list(drawing.watch())
    assert [number for number in seen if number] == [1, 2, 3]  # after 0, as long as nothing is drawn
    assert seen == sorted(seen)
    assert drawing.done
    assert [step.number for step in drawing.steps] == [1, 2, 3]
